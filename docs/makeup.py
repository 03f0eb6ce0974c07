"""Draws ``docs/makeup.jpg``: drawn mouths, bare and with three lipsticks. ``python docs/makeup.py`` from the root."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lipseg import scheme
from lipseg.data.sheets import tile
from lipseg.data.synthesize import draw_face
from lipseg.images import write_image
from lipseg.makeup.lipstick import paint_lips, parse_colour, parse_finish

FACES = ((0, "closed"), (9, "laugh"), (4, "pout"))
LIPSTICKS = (("#b03060", 0.7, "matte"), ("#a01028", 0.75, "satin"), ("#d8506a", 0.7, "gloss"))
HALF = np.array([118, 72])  # of a tile, pixels


def main() -> None:
    tiles = []
    for seed, state in FACES:
        image, points = draw_face(np.random.default_rng(seed), state, 720)
        lips = SimpleNamespace(landmarks=points[scheme.HELEN_LIPS].astype(np.float32))
        low = np.round(lips.landmarks.mean(0)).astype(int) - HALF
        high = low + 2 * HALF
        for colour, opacity, finish in (("black", 0.0, "satin"), *LIPSTICKS):
            painted = paint_lips(image, lips, parse_colour(colour), opacity, parse_finish(finish))
            tiles.append(painted[low[1] : high[1], low[0] : high[0]])
    write_image(Path(__file__).with_name("makeup.jpg"), tile(tiles, 1 + len(LIPSTICKS)), quality=84)


if __name__ == "__main__":
    main()
