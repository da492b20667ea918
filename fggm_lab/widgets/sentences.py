"""Messages of errors as full sentences."""

from html import escape


def full_sentence(text: str) -> str:
    """A message with a capital letter at its beginning and a full stop at its end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def sentence_html(text: str) -> str:
    """A message as an HTML paragraph, in a full sentence; screen readers announce it."""
    return f"<p role='status'>{escape(full_sentence(text))}</p>"
