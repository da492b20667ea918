"""Contrast of two colours, as WCAG 2.2 defines it."""

import re

from plotly.colors import hex_to_rgb

Colour = tuple[float, float, float]
"""Red, green and blue from 0 to 255."""


def rgb(text: str) -> Colour:
    """The numbers of `#rrggbb` or `rgb(…)`."""
    if text.startswith("#"):
        red, green, blue = hex_to_rgb(text)
    else:
        red, green, blue = map(float, re.findall(r"[\d.]+", text)[:3])
    return red, green, blue


def contrast(a: Colour, b: Colour) -> float:
    """From 1 (the same) to 21 (black on white)."""
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    """Relative luminance, from 0 (black) to 1 (white)."""
    shares = [value / 255 for value in colour]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
