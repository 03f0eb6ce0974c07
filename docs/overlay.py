"""Draws ``docs/overlay.jpg``: the lips that lipseg finds in drawn faces. ``python docs/overlay.py`` from the root."""

from pathlib import Path

import numpy as np

import lipseg
from lipseg.data.sheets import tile
from lipseg.data.synthesize import draw_face
from lipseg.images import write_image
from lipseg.rendering.overlay import draw_lips

FACES = ((0, "closed"), (3, "smile"), (8, "laugh"), (1, "pout"), (5, "open"), (2, "closed"))
SIZE = 224  # of a tile, pixels


def main() -> None:
    segmenter = lipseg.LipSegmenter()
    tiles = []
    for seed, state in FACES:
        image, _ = draw_face(np.random.default_rng(seed), state, SIZE)
        image = np.array(image)
        for lips in segmenter(image):
            draw_lips(image, lips.landmarks, tinted=True)
        tiles.append(image)
    write_image(Path(__file__).with_name("overlay.jpg"), tile(tiles, len(tiles)), quality=88)


if __name__ == "__main__":
    main()
