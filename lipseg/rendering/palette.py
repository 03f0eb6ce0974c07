"""The colours of lips in every picture and file, told apart by the colour-blind too.

From Okabe and Ito, "Color universal design" (2008).
"""

Colour = tuple[int, int, int]  # RGB, 0 to 255

_BLACK: Colour = (0, 0, 0)
_VERMILION: Colour = (213, 94, 0)
_YELLOW: Colour = (240, 228, 66)
_SKY_BLUE: Colour = (86, 180, 233)
_BLUISH_GREEN: Colour = (0, 158, 115)

# Of the labels 0 background, 1 upper lip, 2 lower lip, 3 inner mouth.
LABELS: tuple[Colour, ...] = (_BLACK, _VERMILION, _YELLOW, _SKY_BLUE)
# Of lines: far from the reds and browns of lips and skin.
OUTER: Colour = _SKY_BLUE
INNER: Colour = _YELLOW
TRUTH: Colour = _BLUISH_GREEN
# Of the lips in a drawing that has no picture beneath.
LIPS: Colour = _VERMILION


def css(colour: Colour) -> str:
    """Returns a colour as CSS and SVG write it, such as "#d55e00"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
