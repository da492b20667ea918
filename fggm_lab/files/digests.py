"""Digests: sixteen hex digits by which a file's reader sees that its content is as written."""

import hashlib
import re
from collections.abc import Iterable

_LINE = ', "digest": "{}"}}'
_TEXT = ',\n "digest": "{}"\n}}\n'
_END = re.compile(r"""(?:, "digest": "([0-9a-f]{16})"\}|,\n "digest": "([0-9a-f]{16})"\n\}\n)\Z""")


def digest(*parts: bytes | memoryview) -> str:
    """As `digest_of`, of parts that are all at hand."""
    return digest_of(parts)


def digest_of(parts: Iterable[bytes | memoryview]) -> str:
    """The first 16 hex digits of SHA-256 over the bytes of all parts, one after another.

    Single flipped bits, torn blocks and edits by hand change it; it is no signature.

    Args:
        parts: the bytes.

    Returns:
        16 hex digits.
    """
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part)
    return sha256.hexdigest()[:16]


def with_digest(text: str) -> str:
    """A JSON object's text with its digest as last member.

    The digest is one of the text, not of the values: a reader need not spell floats as the writer
    did.

    Args:
        text: the object, not empty, in one line or as `json.dumps(…, indent=1)` lays it out.

    Returns:
        The text with `"digest"` before the closing brace; of several lines, ended by a line break.

    Raises:
        ValueError: the object is empty.
    """
    if text == "{}":
        raise ValueError("an object without members has no place for a digest")
    in_lines = text.endswith("\n}")
    body = text[: -len("\n}" if in_lines else "}")]
    return body + (_TEXT if in_lines else _LINE).format(digest(body.encode()))


def digest_holds(text: str) -> bool | None:
    """Whether a text that `with_digest` made is as it was.

    Args:
        text: all of it, the line break at the end of a line left out.

    Returns:
        True or False; None if the text does not end with a digest.
    """
    match = _END.search(text)
    if match is None:
        return None
    return digest(text[: match.start()].encode()) == (match[1] or match[2])
