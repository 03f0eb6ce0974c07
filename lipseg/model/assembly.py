"""The cascade put together from the files of the pipeline's stages."""

from pathlib import Path

from lipseg.data.statistics import load_normaliser
from lipseg.model.cascade import Cascade
from lipseg.model.parts import heads_from, load_base, mixture_from, projection_from
from lipseg.model.weights import load_arrays


def assemble(statistics: Path, base: Path, mixture: Path, heads: Path) -> Cascade:
    """Returns the cascade, with its control head.

    Raises:
        LipsegError: naming the file that is missing or does not fit.
    """
    net, view = load_base(base)
    arrays, _ = load_arrays(heads)
    return Cascade(
        net,
        heads_from("heads", arrays, net, heads),
        projection_from(arrays, net, heads),
        mixture_from(load_arrays(mixture)[0], mixture),
        load_normaliser(statistics),
        view,
        control=heads_from("control", arrays, net, heads, stacked=False),
    )
