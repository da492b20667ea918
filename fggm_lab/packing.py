"""Text packed for a page: compressed, in characters that HTML leaves alone."""

import base64
import gzip


def packed(text: str) -> str:
    """Compress a text by gzip, in base64; the same text gives the same characters.

    Args:
        text: what a script of the page reads back.

    Returns:
        A string that may stand anywhere in HTML.
    """
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
