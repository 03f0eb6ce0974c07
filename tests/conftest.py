"""Settings of every test, and the expensive things that many tests share: drawn faces, their crops, a tiny cascade."""

import gc
import os
from dataclasses import replace

# Before NumPy loads its BLAS: on matrices this small its threads only wait for each other (four times the time).
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The networks are tiny: compiling costs more than running. (XLA without its fusion emitters would compile twice as fast
# still, but at this level of optimisation the locator's loss is then not finite.)
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")


def pytest_configure(config):
    # Imports and JAX's tracing make objects by the hundred thousand; to look through all of them takes a fifth
    # of the time.
    gc.set_threshold(100_000, 50, 50)
    # Compiling is most of what these tests would cost: what was compiled once is kept for all workers and runs.
    if (cache := getattr(config, "cache", None)) is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache.mkdir("jax")))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def pytest_collection_modifyitems(items):
    # The slow ones first: of two workers one makes what they share while the other runs the fast ones.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish():
    gc.collect()
    gc.freeze()


@pytest.fixture
def strict_types():
    """Makes a silent promotion to another type an error, where that works (optax does it itself)."""
    import jax

    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """A folder of 24 drawn faces, 16 of them for training, in Helen's layout with mouth states."""
    from lipseg.data.synthesize import write_dataset

    root = tmp_path_factory.mktemp("drawn") / "synthetic"
    write_dataset(root, train=16, test=8, size=128, seed=0, workers=1)
    return root


@pytest.fixture(scope="session")
def data_params(drawn):
    """The section ``data`` for the drawn faces."""
    from lipseg.params import Data

    return Data(source="synthetic", root=str(drawn), validation_share=0.3, test_share=0.3)


@pytest.fixture(scope="session")
def crop_params():
    """The section ``crop``, small and strict."""
    from lipseg.params import Crop

    return Crop(size_px=64, context=2.8, min_mouth_px=8.0, max_skipped_share=0.0, workers=1)


@pytest.fixture(scope="session")
def crops(data_params, crop_params, tmp_path_factory):
    """The wide crops of the drawn faces, 64 pixels a side."""
    from lipseg.data.crops import make_crops

    return make_crops(tmp_path_factory.mktemp("crops") / "crops", data_params, crop_params, seed=0)


@pytest.fixture(scope="session")
def no_augment():
    """The section ``augment`` with everything off."""
    from lipseg.params import Augment

    return Augment(shift=0.0, scale=0.0, roll=0.0, stretch=0.0, warp=0.0, mirror=0.0, colour=0.0, blur=0.0, occlude=0.0)


@pytest.fixture(scope="session")
def view():
    """The geometry that the tiny hourglass looks with."""
    from lipseg.geometry import View

    return View(size=32, shape="square", margin=1.6)


@pytest.fixture(scope="session")
def net_params():
    """The section ``net``: an hourglass of the least width."""
    from lipseg.params import Net

    return Net(kind="hourglass", width=4, fc5=8)


@pytest.fixture(scope="session")
def normaliser(crops, view):
    """One mean and deviation a channel."""
    from lipseg.data.augment import views_on_boxes
    from lipseg.data.statistics import fit_normaliser

    return fit_normaliser(views_on_boxes(crops, crops.indices("train"), None, view).images, "channel")[0]


@pytest.fixture(scope="session")
def drawn_net():
    """A function (params, seed) like ``build_net``, with NumPy's numbers: without seconds of compiling."""
    from flax import nnx

    from lipseg.model.nets import empty_net
    from lipseg.model.weights import restore

    def build(params, seed):
        net = empty_net(params)
        rng = np.random.default_rng(seed)
        arrays = {}
        for path, leaf in nnx.to_flat_state(nnx.state(net, (nnx.Param, nnx.BatchStat))):
            shape, name = leaf.get_value().shape, path[-1]
            if name == "kernel":
                arrays[".".join(map(str, path))] = rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape).astype(np.float32)
            else:
                arrays[".".join(map(str, path))] = np.full(shape, float(name in ("scale", "var")), np.float32)
        restore(net, arrays, "conftest")
        return net

    return build


@pytest.fixture(scope="session")
def base(drawn_net, net_params):
    """The tiny hourglass with random weights (FC6 too, which starts at zero in training)."""
    return drawn_net(net_params, 0)


@pytest.fixture(scope="session")
def features(crops, normaliser, base, view, no_augment):
    """The tiny hourglass's features of every split and of two jittered views a training face."""
    from lipseg.model.offsets import SourceOffsets
    from lipseg.training.features import extract_features

    offsets = SourceOffsets(crops.sources).start()
    augment = replace(no_augment, shift=0.1, scale=0.1, mirror=0.5)
    return extract_features(crops, normaliser, base, offsets, view=view, augment=augment, views=2, seed=0)


@pytest.fixture(scope="session")
def mixture(features):
    """A mixture of two components over three dimensions of the features."""
    from lipseg.params import Cluster
    from lipseg.training.em import fit_mixture

    params = Cluster(
        min_components=2,
        max_components=2,
        covariances=("diag",),
        pca=3,
        restarts=3,
        criterion="bic",
        min_share=0.0,
        regularisation=1e-3,
    )
    train = features.select(split="train", boxes="exact").features
    held_out = features.select(split="validation", boxes="exact").features
    return fit_mixture(train, held_out, params, 0).mixture


@pytest.fixture(scope="session")
def cascade(base, mixture, normaliser, view):
    """A cascade of two heads that differ from the base's and from each other, with a control head."""
    from lipseg.model import cascade as module
    from lipseg.model.heads import shapes

    rng = np.random.default_rng(0)

    def drawn(kinds):
        return {name: (0.1 * rng.normal(size=shape)).astype(np.float32) for name, shape in kinds.items()}

    projection = drawn({"centre": (base.channels,), "basis": (base.channels, 2)})
    kinds = shapes(base.features + 56 * 2, 5)
    heads, control = drawn({name: (2, *shape) for name, shape in kinds.items()}), drawn(kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BUCKETS", (4, 16))  # every batch size is compiled for itself
        yield module.Cascade(base, heads, projection, mixture, normaliser, view, control=control)


@pytest.fixture(scope="session")
def predictor(cascade):
    """The tiny cascade as the tool sees a model, without the way through a file."""
    from lipseg.inference.predictor import OnnxPredictor

    def network(views):
        found = cascade.outputs(views)
        return [found.cascade, found.responsibilities.argmax(1), found.responsibilities, found.score]

    return OnnxPredictor(cascade.runtime(), None, {}, network)


@pytest.fixture(scope="session")
def systems(cascade):
    """What the tiny cascade's base and control say, as an exported network gives it."""

    def network(views):
        found = cascade.outputs(views)
        return [found.base, found.control]

    return network
