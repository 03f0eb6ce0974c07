"""The parameters of the pipeline: one frozen, validated type for each section of ``params.yaml``.

Every value has its unit and its permitted range here; the file holds all keys and there are no hidden defaults.
"""

import dataclasses
import math
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lipseg.errors import ParamsError


def _require(condition: bool, key: str, rule: str, value: object) -> None:
    if not condition:
        raise ParamsError(f"{key}: must be {rule}, not {value!r}")


def _share(key: str, value: float) -> None:
    _require(0.0 <= value < 1.0, key, "at least 0 and less than 1", value)


def _positive(key: str, value: float) -> None:
    _require(value > 0, key, "greater than 0", value)


def _at_least(key: str, value: float, low: float) -> None:
    _require(value >= low, key, f"at least {low}", value)


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    _require(value in allowed, key, "one of " + ", ".join(allowed), value)


@dataclass(frozen=True, slots=True)
class Data:
    """Which annotated faces."""

    source: str  # name of a reader, or several joined by "+"
    root: str  # its folder; for several readers a folder that holds one folder for each reader's name
    validation_share: float  # of the training faces, set aside for every choice that is made
    test_share: float  # of the faces of a dataset that has no split of its own

    def __post_init__(self) -> None:
        _require(bool(self.source), "data.source", "the name of a dataset reader", self.source)
        _require(bool(self.root), "data.root", "a folder", self.root)
        _share("data.validation_share", self.validation_share)
        _positive("data.validation_share", self.validation_share)
        _share("data.test_share", self.test_share)


@dataclass(frozen=True, slots=True)
class Synthesize:
    """The built-in dataset, drawn by formula."""

    train: int  # faces
    test: int  # faces
    image_size: int  # pixels a side

    def __post_init__(self) -> None:
        _at_least("synthesize.train", self.train, 10)
        _at_least("synthesize.test", self.test, 2)
        _require(64 <= self.image_size <= 2048, "synthesize.image_size", "64 to 2048 pixels", self.image_size)


@dataclass(frozen=True, slots=True)
class Crop:
    """The wide crops that every view is sampled from."""

    size: int  # pixels a side
    context: float  # side in units of the mouth box's longer side
    min_mouth_px: float  # a face with a narrower mouth is skipped
    max_skipped_share: float  # the stage fails when more of the faces are unusable
    workers: int  # processes; 0 = one a core

    def __post_init__(self) -> None:
        _require(16 <= self.size <= 1024, "crop.size", "16 to 1024 pixels", self.size)
        _require(1.0 <= self.context <= 8.0, "crop.context", "1 to 8", self.context)
        _at_least("crop.min_mouth_px", self.min_mouth_px, 1)
        _share("crop.max_skipped_share", self.max_skipped_share)
        _at_least("crop.workers", self.workers, 0)


@dataclass(frozen=True, slots=True)
class ViewParams:
    """What the network sees of a mouth box (see ``lipseg.geometry.View``)."""

    size: int  # pixels a side
    shape: str  # "square" keeps the aspect ratio, "stretch" does not
    margin: float  # square: side over the box's longer side; stretch: border in image pixels

    def __post_init__(self) -> None:
        good = 16 <= self.size <= 512 and self.size % 8 == 0
        _require(good, "view.size", "a multiple of 8 from 16 to 512", self.size)
        _one_of("view.shape", self.shape, ("square", "stretch"))
        if self.shape == "square":
            _require(1.0 <= self.margin <= 4.0, "view.margin", "1 to 4 for view.shape square", self.margin)
        _require(0.0 <= self.margin <= 200.0, "view.margin", "0 to 200 pixels", self.margin)


@dataclass(frozen=True, slots=True)
class Augment:
    """How training views vary. All zero: no augmentation."""

    shift: float  # of the box's centre, up to this share of its width, in x and y
    scale: float  # of the box's size, up to a factor of exp(scale) either way
    roll: float  # degrees, up to
    stretch: float  # of width against height, up to a factor of exp(stretch) either way
    warp: float  # smooth random displacement of pixels and landmarks, up to this share of the mouth's width
    mirror: float  # share of mirrored views
    colour: float  # strength of gamma, exposure, white balance, saturation, contrast and side light; 1 = strong
    blur: float  # share of blurred or noisy views
    occlude: float  # share of views with a patch over part of the picture

    def __post_init__(self) -> None:
        for key in ("shift", "scale", "stretch", "colour"):
            _require(0.0 <= getattr(self, key) <= 1.0, f"augment.{key}", "0 to 1", getattr(self, key))
        _require(0.0 <= self.roll <= 180.0, "augment.roll", "0 to 180 degrees", self.roll)
        _require(0.0 <= self.warp <= 0.1, "augment.warp", "0 to 0.1", self.warp)
        for key in ("mirror", "blur", "occlude"):
            _require(0.0 <= getattr(self, key) <= 1.0, f"augment.{key}", "a share from 0 to 1", getattr(self, key))


@dataclass(frozen=True, slots=True)
class Statistics:
    """The normalisation of the views."""

    per: str  # "pixel": a mean and deviation image, as the original; "channel": three numbers each

    def __post_init__(self) -> None:
        _one_of("statistics.per", self.per, ("pixel", "channel"))


@dataclass(frozen=True, slots=True)
class Net:
    """The base network."""

    kind: str  # "tcnn": the vanilla tweaked CNN; "hourglass": residual encoder and decoder with landmark maps
    width: int  # hourglass: channels at the highest resolution
    fc5: int  # units of the fully connected layer FC5

    def __post_init__(self) -> None:
        _one_of("net.kind", self.kind, ("tcnn", "hourglass"))
        _require(4 <= self.width <= 256, "net.width", "4 to 256", self.width)
        _require(1 <= self.fc5 <= 4096, "net.fc5", "1 to 4096", self.fc5)


@dataclass(frozen=True, slots=True)
class TrainBase:
    """Training of the base network."""

    epochs: int  # at most
    repeats: int  # views of every face in an epoch
    patience: int  # epochs without a better validation error before the training stops; 0 = never
    batch_size: int  # views
    optimiser: str  # "muon" (kernels; AdamW for the rest) or "adamw"
    kernel_rate: float  # Muon's peak learning rate, of the kernels
    learning_rate: float  # AdamW's peak
    schedule: str  # "cosine" to zero after a warm-up, or "constant"
    weight_decay: float
    average: float  # decay of the exponential moving average of the weights; 0 = none
    loss: str  # on landmarks: "wing", "smooth_l1" or "l2"
    tangential: float  # weight of the landmark error along the contour, against that across it
    mask_weight: float  # of the auxiliary region masks (hourglass)
    map_weight: float  # of the landmark maps' spread about the truth (hourglass)
    validate_on: str  # "jittered" or "exact" boxes
    generations: int  # each after the first learns afresh, from the annotations and the best network before it
    teacher: float  # share of that network's answers in the landmarks that a further generation learns

    def __post_init__(self) -> None:
        for key in ("epochs", "repeats", "batch_size", "generations"):
            _at_least(f"train_base.{key}", getattr(self, key), 1)
        _at_least("train_base.patience", self.patience, 0)
        _one_of("train_base.optimiser", self.optimiser, ("muon", "adamw"))
        for key in ("kernel_rate", "learning_rate"):
            _positive(f"train_base.{key}", getattr(self, key))
        _one_of("train_base.schedule", self.schedule, ("cosine", "constant"))
        for key in ("weight_decay", "mask_weight", "map_weight"):
            _at_least(f"train_base.{key}", getattr(self, key), 0)
        _require(0.0 <= self.tangential <= 1.0, "train_base.tangential", "between 0 and 1", self.tangential)
        _share("train_base.average", self.average)
        _require(0.0 <= self.teacher <= 1.0, "train_base.teacher", "between 0 and 1", self.teacher)
        _one_of("train_base.loss", self.loss, ("wing", "smooth_l1", "l2"))
        _one_of("train_base.validate_on", self.validate_on, ("jittered", "exact"))


@dataclass(frozen=True, slots=True)
class Extract:
    """The features at the input of FC5."""

    views: int  # augmented views of every training face, beside the one on its true box

    def __post_init__(self) -> None:
        _at_least("extract.views", self.views, 0)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The Gaussian mixture over the features."""

    min_components: int
    max_components: int
    covariances: tuple[str, ...]  # any of full, tied, diag, spherical
    pca: int  # dimensions of the whitening PCA before the mixture
    restarts: int  # of EM for every K and covariance type
    criterion: str  # bic, aic, icl, or validation (log-likelihood of held-out faces)
    min_share: float  # a component with a smaller share of the training faces is dropped
    regularisation: float  # added to the covariances' diagonals (in whitened units)

    def __post_init__(self) -> None:
        _at_least("cluster.min_components", self.min_components, 1)
        _require(
            self.max_components >= self.min_components,
            "cluster.max_components",
            f"at least cluster.min_components ({self.min_components})",
            self.max_components,
        )
        _require(len(self.covariances) > 0, "cluster.covariances", "a list with at least one type", self.covariances)
        for kind in self.covariances:
            _one_of("cluster.covariances", kind, ("full", "tied", "diag", "spherical"))
        _at_least("cluster.pca", self.pca, 1)
        _at_least("cluster.restarts", self.restarts, 1)
        _one_of("cluster.criterion", self.criterion, ("bic", "aic", "icl", "validation"))
        _share("cluster.min_share", self.min_share)
        _positive("cluster.regularisation", self.regularisation)


@dataclass(frozen=True, slots=True)
class Finetune:
    """The heads (FC5 + FC6), one a component, on frozen convolutions."""

    epochs: int  # at most
    patience: int  # epochs without a better validation error before a head stops
    batch_size: int  # views
    learning_rate: float
    pull: float  # weight of the squared distance to the base's head
    assignment: str  # "hard": a head learns from its own faces; "soft": from all, weighted by responsibility

    def __post_init__(self) -> None:
        for key in ("epochs", "patience", "batch_size"):
            _at_least(f"finetune.{key}", getattr(self, key), 1)
        _positive("finetune.learning_rate", self.learning_rate)
        _at_least("finetune.pull", self.pull, 0)
        _one_of("finetune.assignment", self.assignment, ("hard", "soft"))


@dataclass(frozen=True, slots=True)
class Locate:
    """The locator: from a detector's face box to the mouth."""

    size: int  # pixels a side of what it sees
    margin: float  # side of what it sees, in units of the face box's side
    width: int  # channels at the highest resolution
    passes: int  # looks at a face; each further one at the face box that the mouth found last would have
    epochs: int
    batch_size: int  # faces; half as many pictures without a mouth come beside them
    learning_rate: float  # peak
    shift: float  # of the face box's centre, up to this share of its side, in x and y
    scale: float  # of its size, up to a factor of exp(scale) either way
    roll: float  # degrees, up to

    def __post_init__(self) -> None:
        good = 16 <= self.size <= 128 and self.size % 8 == 0
        _require(good, "locate.size", "a multiple of 8 from 16 to 128", self.size)
        _require(1.0 <= self.margin <= 2.0, "locate.margin", "1 to 2", self.margin)
        _require(2 <= self.width <= 128, "locate.width", "2 to 128", self.width)
        _require(1 <= self.passes <= 4, "locate.passes", "1 to 4", self.passes)
        for key in ("epochs", "batch_size"):
            _at_least(f"locate.{key}", getattr(self, key), 1)
        _positive("locate.learning_rate", self.learning_rate)
        _require(0.0 <= self.shift <= 0.5, "locate.shift", "0 to 0.5", self.shift)
        _require(0.0 <= self.scale <= 0.5, "locate.scale", "0 to 0.5", self.scale)
        _require(0.0 <= self.roll <= 60.0, "locate.roll", "0 to 60 degrees", self.roll)


@dataclass(frozen=True, slots=True)
class Calibrate:
    """What a score means: the probability that the contours are within the bound."""

    bound: float  # mean distance between true and found outlines, share of the inter-ocular distance
    repeats: int  # how many times every validation face is shown in each way

    def __post_init__(self) -> None:
        _require(0.001 <= self.bound <= 0.5, "calibrate.bound", "0.001 to 0.5", self.bound)
        _at_least("calibrate.repeats", self.repeats, 1)


@dataclass(frozen=True, slots=True)
class Evaluate:
    """The figures on the test faces."""

    shift: float  # jittered boxes: shift of the centre in mouth widths, up to
    scale: float  # jittered boxes: log of the change of size, up to
    resamples: int  # of the bootstrap
    examples: int  # faces shown in the report

    def __post_init__(self) -> None:
        _share("evaluate.shift", self.shift)
        _share("evaluate.scale", self.scale)
        _at_least("evaluate.resamples", self.resamples, 100)
        _at_least("evaluate.examples", self.examples, 1)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The model that inference loads."""

    name: str
    description: str

    def __post_init__(self) -> None:
        _require(bool(self.name), "bundle.name", "a name", self.name)


@dataclass(frozen=True, slots=True)
class Params:
    """The whole of ``params.yaml``."""

    seed: int
    data: Data
    synthesize: Synthesize
    crop: Crop
    view: ViewParams
    augment: Augment
    statistics: Statistics
    net: Net
    train_base: TrainBase
    extract: Extract
    cluster: Cluster
    finetune: Finetune
    locate: Locate
    calibrate: Calibrate
    evaluate: Evaluate
    bundle: Bundle

    def __post_init__(self) -> None:
        _at_least("seed", self.seed, 0)
        if self.net.kind == "tcnn":
            _require(self.view.size == 40, "view.size", "40 for net.kind tcnn", self.view.size)
        else:
            _require(self.view.size % 16 == 0, "view.size", "a multiple of 16 for net.kind hourglass", self.view.size)
        if self.view.shape == "square":
            # A view that leaves its crop shows repeated edge pixels instead of the picture.
            roll, jitter = math.radians(min(self.augment.roll, 45.0)), self.augment
            needed = max(
                self.view.margin * math.exp(jitter.scale) * (math.cos(roll) + math.sin(roll)) + 2 * jitter.shift,
                self.view.margin * math.exp(self.evaluate.scale) + 2 * self.evaluate.shift,
            )
            rule = f"at least {needed:.2f}, so that a crop holds every jittered view of it"
            _require(self.crop.context >= needed, "crop.context", rule, self.crop.context)


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Returns the validated parameters.

    Raises:
        ParamsError: naming the file and the key that is unknown, missing, badly typed or out of range.
    """
    import yaml

    try:
        with path.open(encoding="utf-8") as file:
            raw = yaml.safe_load(file)
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run from the project's folder or copy one of presets/") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    try:
        return parse_params(raw)
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from error


def parse_params(raw: object) -> Params:
    """Returns the parameters of a parsed ``params.yaml``; raises ``ParamsError`` as ``load_params`` does."""
    return _parse(Params, raw, "")


def as_dict(section: Any) -> dict[str, Any]:
    """Returns a section (or all parameters) as plain, JSON-able values."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(section).items()
    }


def _parse(kind: Any, raw: object, prefix: str) -> Any:
    if not isinstance(raw, dict):
        raise ParamsError(f"{prefix.rstrip('.') or 'the file'}: must hold keys and values, not {raw!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = [str(key) for key in raw if key not in fields]
    if unknown:
        raise ParamsError(f"{prefix}{unknown[0]}: unknown key; known here: {', '.join(fields)}")
    missing = [key for key in fields if key not in raw]
    if missing:
        raise ParamsError(f"{prefix}{missing[0]}: missing")
    hints: dict[str, Any] = typing.get_type_hints(kind)
    return kind(**{key: _value(hints[key], raw[key], f"{prefix}{key}") for key in fields})


def _value(hint: Any, value: object, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _parse(hint, value, f"{key}.")
    kind: Any = hint
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ParamsError(f"{key}: must be a list, not {value!r}")
        return tuple(_value(typing.get_args(hint)[0], item, key) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (hint is int and isinstance(value, bool)):
        remedy = " (write 1.0e-3, not 1e-3)" if hint is float and isinstance(value, str) else ""
        raise ParamsError(f"{key}: must be {kind.__name__}, not {value!r}{remedy}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ParamsError(f"{key}: must be a finite number, not {value!r}")
    return value
