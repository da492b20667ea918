"""Messages of errors as full sentences."""

from html import escape


def full_sentence(text: str) -> str:
    """A message with a capital letter at its beginning and a full stop at its end.

    Args:
        text: the message; a path, option or name in code at its beginning stays as it is.

    Returns:
        The sentence.
    """
    first = text.split(" ", 1)[0].rstrip(",;:.")
    start = text[:1].upper() if first.isalpha() else text[:1]
    return start + text[1:] + ("" if text.endswith(".") else ".")


def sentence_html(text: str) -> str:
    """A message as an HTML paragraph, in a full sentence; screen readers announce it."""
    return f"<p role='status'>{escape(full_sentence(text))}</p>"
