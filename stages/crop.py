"""Cuts every annotated face of the chosen source into a wide crop, and draws a contact sheet of them."""

import stages
from lipseg.data.crops import crop_sheet, make_crops
from lipseg.images import write_image
from lipseg.params import load_params


def main() -> None:
    at = stages.paths(__doc__, out="folder of the crops", sheet="picture of some of them with their landmarks")
    params = load_params()
    crops = make_crops(at.out, params.data, params.crop, params.seed)
    write_image(at.sheet, crop_sheet(crops))


if __name__ == "__main__":
    stages.run(main)
