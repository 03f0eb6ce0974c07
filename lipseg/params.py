"""The parameters of the pipeline: one frozen, validated type for each section of ``params.yaml``.

Every value has its unit and its permitted range here; the file holds all keys and there are no hidden defaults. Nothing
is computed here that a stage's result depends on: so a change in this file reruns no stage (see ``stages.code``).
"""

import dataclasses
import math
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO, TypeVar

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from lipseg.errors import ParamsError, in_brief, shown
from lipseg.geometry import View

Section = TypeVar("Section")

Positive = Annotated[float, Field(gt=0)]

# Strict: "3" and 3.0 are no 3 and true is no 1; an int is fine where a float is wanted.
_STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, config=_STRICT)
class Data:
    """Which annotated faces."""

    source: str = Field(min_length=1, description='name of a reader, or several joined by "+"')
    root: str = Field(min_length=1, description="its folder; for several readers the folder that holds one for each")
    validation_share: float = Field(gt=0, lt=1, description="of the training faces, set aside for every choice")
    test_share: float = Field(ge=0, lt=1, description="of the faces of a dataset that has no split of its own")


@dataclass(frozen=True, config=_STRICT)
class Synthesize:
    """The built-in dataset, drawn by formula."""

    train: int = Field(ge=10, description="faces")
    test: int = Field(ge=2, description="faces")
    image_size: int = Field(ge=64, le=2048, description="pixels a side")


@dataclass(frozen=True, config=_STRICT)
class Crop:
    """The wide crops that every view is sampled from."""

    size_px: int = Field(ge=16, le=1024, description="pixels a side")
    context: float = Field(ge=1, le=8, description="side in units of the mouth box's longer side")
    min_mouth_px: float = Field(ge=1, description="a face with a narrower mouth is skipped")
    max_skipped_share: float = Field(ge=0, lt=1, description="the stage fails when more of the faces are unusable")
    workers: int = Field(ge=0, description="processes; 0 = one a core")


@dataclass(frozen=True, config=_STRICT)
class ViewParams:
    """What the network sees of a mouth box (see ``lipseg.geometry.View``)."""

    size_px: int = Field(ge=16, le=512, multiple_of=8, description="pixels a side")
    shape: Literal["square", "stretch"] = Field(description="square keeps the aspect ratio, stretch does not")
    margin: float = Field(
        ge=0, le=200, description="square: side over the box's longer side; stretch: border in image pixels"
    )

    def __post_init__(self) -> None:
        if self.shape == "square":
            _require(1.0 <= self.margin <= 4.0, "view.margin", "1 to 4 for view.shape square", self.margin)

    def geometry(self) -> View:
        """Returns the same as the code and the model card have it."""
        return View(self.size_px, self.shape, self.margin)


@dataclass(frozen=True, config=_STRICT)
class Augment:
    """How training views vary. All zero: no augmentation."""

    shift: float = Field(ge=0, le=1, description="of the box's centre, up to this share of its width, in x and y")
    scale: float = Field(ge=0, le=1, description="of the box's size, up to a factor of exp(scale) either way")
    roll: float = Field(ge=0, le=180, description="degrees, up to")
    stretch: float = Field(ge=0, le=1, description="width against height, up to a factor of exp(stretch) either way")
    warp: float = Field(ge=0, le=0.1, description="smooth displacement of pixels and landmarks, share of mouth width")
    mirror: float = Field(ge=0, le=1, description="share of mirrored views")
    colour: float = Field(ge=0, le=1, description="strength of changes of light and colour; 1 = strong")
    blur: float = Field(ge=0, le=1, description="share of blurred or noisy views")
    occlude: float = Field(ge=0, le=1, description="share of views with a patch over part of the picture")


@dataclass(frozen=True, config=_STRICT)
class Statistics:
    """The normalisation of the views."""

    per: Literal["pixel", "channel"] = Field(description="a mean and a deviation image, or three numbers each")


@dataclass(frozen=True, config=_STRICT)
class Net:
    """The base network."""

    kind: Literal["tcnn", "hourglass"] = Field(
        description="tcnn: the vanilla tweaked CNN; hourglass: residual encoder and decoder with landmark maps"
    )
    width: int = Field(ge=4, le=256, description="hourglass: channels at the highest resolution")
    fc5: int = Field(ge=1, le=4096, description="units of the fully connected layer FC5")


@dataclass(frozen=True, config=_STRICT)
class TrainBase:
    """Training of the base network."""

    epochs: int = Field(ge=1, description="at most")
    repeats: int = Field(ge=1, description="views of every face in an epoch")
    source_weights: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        strict=False, description="of each of several sources, by how much more of its views; empty: all alike"
    )
    patience: int = Field(ge=0, description="epochs without a better validation error before it stops; 0 = never")
    batch_size: int = Field(ge=1, description="views")
    optimiser: Literal["muon", "adamw"] = Field(description="muon is for kernels; AdamW has the rest")
    kernel_rate: float = Field(gt=0, description="Muon's peak learning rate, of the kernels")
    learning_rate: float = Field(gt=0, description="AdamW's peak")
    schedule: Literal["cosine", "constant"] = Field(description="cosine falls to zero after a warm-up")
    weight_decay: float = Field(ge=0)
    average: float = Field(ge=0, lt=1, description="decay of the moving average of the weights; 0 = none")
    loss: Literal["wing", "smooth_l1", "l2"] = Field(description="on landmarks")
    tangential: float = Field(ge=0, le=1, description="weight of the error along the contour, against that across it")
    mask_weight: float = Field(ge=0, description="of the auxiliary region masks (hourglass)")
    map_weight: float = Field(ge=0, description="of the landmark maps' spread about the truth (hourglass)")
    validate_on: Literal["jittered", "exact"] = Field(description="boxes of the validation faces")


@dataclass(frozen=True, config=_STRICT)
class Teach:
    """Teachers of the base network: networks of the same kind that learn as it does, larger or for longer."""

    teachers: int = Field(ge=0, le=16, description="their answers are averaged; 0 = none, the annotations alone teach")
    epochs: int = Field(ge=1, description="at most")
    width: int = Field(ge=4, le=256, description="hourglass: channels at the highest resolution")
    size_px: int = Field(ge=16, le=512, multiple_of=8, description="pixels a side of what they see")
    share: float = Field(ge=0, le=1, description="of their answers in the landmarks that the base network learns")


@dataclass(frozen=True, config=_STRICT)
class Extract:
    """The features at the input of FC5."""

    views: int = Field(ge=0, description="augmented views of every training face, beside the one on its true box")


@dataclass(frozen=True, config=_STRICT)
class Cluster:
    """The Gaussian mixture over the features."""

    min_components: int = Field(ge=1)
    max_components: int = Field(ge=1)
    covariances: tuple[Literal["full", "tied", "diag", "spherical"], ...] = Field(min_length=1, strict=False)
    pca: int = Field(ge=1, description="dimensions of the whitening PCA before the mixture")
    restarts: int = Field(ge=1, description="of EM for every K and covariance type")
    criterion: Literal["bic", "aic", "icl", "validation"] = Field(
        description="validation: log-likelihood of held-out faces"
    )
    min_share: float = Field(ge=0, lt=1, description="a component with fewer of the training faces is dropped")
    regularisation: float = Field(gt=0, description="added to the covariances' diagonals (in whitened units)")

    def __post_init__(self) -> None:
        rule = f"at least cluster.min_components ({self.min_components})"
        _require(self.max_components >= self.min_components, "cluster.max_components", rule, self.max_components)


@dataclass(frozen=True, config=_STRICT)
class Finetune:
    """The heads, one a component, on frozen convolutions: the base's FC5 and FC6 with units of their own beside."""

    sampled: int = Field(ge=0, description="channels kept of those that the decoder has at each landmark (hourglass)")
    units: int = Field(ge=1, le=112, description="of a head's own in FC5")
    control_pull: tuple[Positive, ...] = Field(
        min_length=1, strict=False, description="of the control towards the base; the best on validation is taken"
    )
    pull: tuple[Positive, ...] = Field(
        min_length=1, strict=False, description="of the heads towards the control; the best on validation is taken"
    )
    assignment: Literal["hard", "soft"] = Field(
        description="hard: a head learns from its own faces; soft: from all, weighted by responsibility"
    )
    resamples: int = Field(ge=100, description="of the bootstrap on validation faces that a head has to pass")


@dataclass(frozen=True, config=_STRICT)
class Detect:
    """The face detector whose boxes the locator learns from."""

    detector: Literal["yunet", "dlib"] = Field(description="which one; inference has to use the same")
    size_px: int = Field(ge=64, le=4096, description="long side of the photo in the first search, at most, pixels")
    threshold: float = Field(ge=0, le=1, description="of yunet: a face with a lower score is none")


@dataclass(frozen=True, config=_STRICT)
class Locate:
    """The locator: from a detector's face box to the mouth."""

    size_px: int = Field(ge=16, le=128, multiple_of=8, description="pixels a side of what it sees")
    margin: float = Field(ge=1, le=2, description="side of what it sees, in units of the face box's side")
    width: int = Field(ge=2, le=128, description="channels at the highest resolution")
    passes: int = Field(
        ge=1, le=4, description="looks at a face; each further one starts from the mouth that was found last"
    )
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1, description="faces; half as many pictures without a mouth come beside them")
    learning_rate: float = Field(gt=0, description="peak")
    shift: float = Field(ge=0, le=0.5, description="of the face box's centre, up to this share of its side")
    scale: float = Field(ge=0, le=0.5, description="of its size, up to a factor of exp(scale) either way")
    roll: float = Field(ge=0, le=60, description="degrees, up to")


@dataclass(frozen=True, config=_STRICT)
class Calibrate:
    """What a score means: the probability that the contours are within the bound."""

    bound: float = Field(
        ge=0.001, le=0.5, description="mean distance of true and found outlines, share of the inter-ocular distance"
    )
    repeats: int = Field(ge=1, description="how many times every validation face is shown in each way")


@dataclass(frozen=True, config=_STRICT)
class Evaluate:
    """The figures on the test faces."""

    shift: float = Field(ge=0, lt=1, description="jittered boxes: shift of the centre in mouth widths, up to")
    scale: float = Field(ge=0, lt=1, description="jittered boxes: log of the change of size, up to")
    resamples: int = Field(ge=100, description="of the bootstrap")
    examples: int = Field(ge=1, description="faces shown in the report")


@dataclass(frozen=True, config=_STRICT)
class Bundle:
    """The model that inference loads."""

    name: str = Field(min_length=1, description="of the model")
    description: str = Field(description="a sentence on what it was trained on")


@dataclass(frozen=True, config=_STRICT)
class Params:
    """The whole of ``params.yaml``."""

    seed: int = Field(ge=0)
    data: Data = Field()
    synthesize: Synthesize = Field()
    crop: Crop = Field()
    view: ViewParams = Field()
    augment: Augment = Field()
    statistics: Statistics = Field()
    net: Net = Field()
    teach: Teach = Field()
    train_base: TrainBase = Field()
    extract: Extract = Field()
    cluster: Cluster = Field()
    finetune: Finetune = Field()
    detect: Detect = Field()
    locate: Locate = Field()
    calibrate: Calibrate = Field()
    evaluate: Evaluate = Field()
    bundle: Bundle = Field()

    def __post_init__(self) -> None:
        weights, sources = self.train_base.source_weights, self.data.source.split("+")
        rule = f"empty or have one number for each of the {len(sources)} in data.source"
        _require(len(weights) in (0, len(sources)), "train_base.source_weights", rule, list(weights))
        view = self.view
        seen = {"view.size_px": view.size_px} | ({"teach.size_px": self.teach.size_px} if self.teach.teachers else {})
        for key, size in seen.items():
            if self.net.kind == "tcnn":
                _require(size == 40, key, "40 for net.kind tcnn", size)
            else:
                _require(size % 16 == 0, key, "a multiple of 16 for net.kind hourglass", size)
        if view.shape == "square":
            # A view that leaves its crop shows repeated edge pixels instead of the picture.
            roll, jitter = math.radians(min(self.augment.roll, 45.0)), self.augment
            needed = max(
                view.margin * math.exp(jitter.scale) * (math.cos(roll) + math.sin(roll)) + 2 * jitter.shift,
                view.margin * math.exp(self.evaluate.scale) + 2 * self.evaluate.shift,
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
            raw = _parsed(file)
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run from the project's folder or copy one of presets/") from error
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no text, no such date, a number of thousands of digits
        raise ParamsError(f"{path}: not valid YAML ({in_brief(error, 300)})") from error
    try:
        return parse_params(raw)
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from error


# Of lists and mappings in each other: libyaml's stack, and otherwise PyYAML's time, end before their number does.
_DEEPEST = 20
_SAME_IN_BOTH = {
    "tag:yaml.org,2002:bool": r"(?i:true|false)",
    "tag:yaml.org,2002:int": r"[-+]?(0|[1-9][0-9]*)",
    "tag:yaml.org,2002:float": r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9]+([eE][-+]?[0-9]+)?|[-+]?\.\w+",
}


def _parsed(file: TextIO) -> object:
    """Returns what a YAML file holds.

    Aliases are taken, but merges (``<<``) of them are not: merged over and over, a few lines become millions of keys.
    Values are those that YAML 1.1, which PyYAML reads, and 1.2, which dvc reads, take for the same: not 010 (8 or 10),
    1:30 (90 or a text) or yes (true or a text).

    Args:
        file: open; it is read twice.

    Raises:
        yaml.YAMLError: if it is no YAML, holds a key twice in one place, merges, or nests too deeply.
    """
    import yaml

    # Libyaml's parser takes a twentieth of the time of the one in Python, which some installations have alone.
    safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(safe):
        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            known: set[str] = set()
            for key, _ in node.value:
                what = "a merge (<<), which is not taken here" if key.tag == "tag:yaml.org,2002:merge" else None
                if isinstance(key, yaml.ScalarNode):
                    # Which of two values counts would be chance; dvc refuses such a file too.
                    what = what or (f"the key '{key.value}' a second time" if key.value in known else None)
                    known.add(key.value)
                if what:
                    raise yaml.constructor.ConstructorError(problem=f"found {what}", problem_mark=key.start_mark)

        def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
            if node.tag in _SAME_IN_BOTH and not re.fullmatch(_SAME_IN_BOTH[node.tag], str(node.value)):
                problem = f"found {shown(node.value)}: write numbers in decimal digits, and true or false"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
            return super().construct_object(node, deep)

    depth = 0
    for event in yaml.parse(file, safe):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError("nested too deeply")
    file.seek(0)
    return yaml.load(file, Loader)


def parse_params(raw: object) -> Params:
    """Returns the parameters of a parsed ``params.yaml``; raises ``ParamsError`` as ``load_params`` does."""
    if not isinstance(raw, Mapping):
        raise ParamsError(f"the file: must hold keys and values, not {shown(raw)}")
    kinds = typing.get_type_hints(Params)
    parts = {
        name: parse_section(kinds[name], part, name) if dataclasses.is_dataclass(kinds.get(name)) else part
        for name, part in raw.items()
    }
    return parse_section(Params, parts, "")


def parse_section(kind: type[Section], raw: object, name: str) -> Section:
    """Returns one section.

    Args:
        kind: its type, for instance ``Net``.
        raw: its keys and values.
        name: what errors call it, for instance "net".

    Raises:
        ParamsError: naming the key that is unknown, missing, badly typed or out of range.
    """
    if not isinstance(raw, Mapping):
        raise ParamsError(f"{name}: must hold keys and values, not {shown(raw)}")
    try:
        return kind(**{str(key): value for key, value in raw.items()})
    except ValidationError as error:
        known = list(typing.get_type_hints(kind))
        # The likeliest reason first: a misspelt key is unknown, and missing under its right name.
        faults = sorted(error.errors(), key=lambda fault: _ORDER.get(fault["type"], len(_ORDER)))
        raise ParamsError(_in_words(faults[0], name, known)) from error


def as_dict(section: Any) -> dict[str, Any]:
    """Returns a section (or all parameters) as plain, JSON-able values."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(section).items()
    }


_ORDER = {"unexpected_keyword_argument": 0, "missing": 1}


def _in_words(fault: Any, section: str, known: list[str]) -> str:
    """Returns one line on what pydantic found: the key with dots, the rule, the value, and a remedy where there is one.

    The place of a fault in a list ends in its index, which is left out: the value says which one it is.
    """
    key = ".".join(part for part in (section, str(fault["loc"][0])) if part)
    if fault["type"] == "unexpected_keyword_argument":
        return f"{key[:100]}: unknown key; known here: {', '.join(known)}"
    if fault["type"] == "missing":
        return f"{key}: missing"
    value = fault["input"]
    # "Input should be a valid integer" -> "must be a whole number"
    rule = re.sub(r"^.*? should |valid | after validation, not \d+$", "", fault["msg"])
    rule = rule.replace("a integer", "a whole number").replace("tuple", "list")
    remedy = " (write 1.0e-3, not 1e-3)" if fault["type"] == "float_type" and isinstance(value, str) else ""
    return f"{key}: must {rule}, not {shown(value)}{remedy}"


def _require(condition: bool, key: str, rule: str, value: object) -> None:
    if not condition:
        raise ParamsError(f"{key}: must be {rule}, not {shown(value)}")
