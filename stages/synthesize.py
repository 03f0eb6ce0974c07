"""Draws the built-in dataset by formula, and a contact sheet of it."""

import stages
from lipseg.data.synthesize import contact_sheet, write_dataset
from lipseg.images import write_image
from lipseg.params import load_params


def main() -> None:
    at = stages.paths(__doc__, out="folder of the dataset", sheet="picture of some of its faces")
    params = load_params()
    section = params.synthesize
    write_dataset(at.out, train=section.train, test=section.test, size=section.image_size, seed=params.seed, workers=0)
    write_image(at.sheet, contact_sheet(at.out))


if __name__ == "__main__":
    stages.run(main)
