"""Text from data (names, messages, answers) where it is shown: what could do harm made visible."""

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters (all but tab and line feed), what turns the direction of text round or takes
no room, and halves of surrogate pairs, which no stream can encode."""

_FORMULA = re.compile(r"[\t\r\n ]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet takes for a formula."""

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
"""What is none, though it may begin so."""


def visible(text: str) -> str:
    r"""A text with each character that a terminal would act on, or not show, as its escape.

    Args:
        text: from data; tabs and line ends are kept.

    Returns:
        Such as `\x1b[31m` written out. In JSON text the value stays the same.
    """
    return _UNSEEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


def csv_cell(value: object) -> object:
    """A cell of a CSV file: a text that a spreadsheet would run begins with an apostrophe.

    Args:
        value: a number or a text.

    Returns:
        Numbers as they are; of texts what a spreadsheet shows as text.
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"
