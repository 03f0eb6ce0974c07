"""Mean and standard deviation of the training views."""

import numpy as np

import stages
from lipseg.data.augment import views_on_boxes
from lipseg.data.crop_set import load_crops
from lipseg.data.statistics import fit_normaliser, save_normaliser
from lipseg.files import whole_folder
from lipseg.images import write_image
from lipseg.params import load_params


def main() -> None:
    at = stages.paths(__doc__, crops="folder of the crops", out="folder of the statistics")
    params, crops = load_params(), load_crops(at.crops)
    views = views_on_boxes(crops, crops.indices("train"), None, params.view.geometry())
    normaliser, pixel = fit_normaliser(views.images, params.statistics.per)
    with whole_folder(at.out) as folder:
        save_normaliser(folder / "normaliser.npz", normaliser)
        write_image(folder / "mean.png", np.round(pixel.mean).astype(np.uint8))
        write_image(folder / "deviation.png", np.round(np.clip(2 * pixel.deviation, 0, 255)).astype(np.uint8))


if __name__ == "__main__":
    stages.run(main)
