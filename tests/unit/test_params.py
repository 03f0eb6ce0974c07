"""The parameters: the files of the repository load, and every mistake is answered by the name of its key."""

import copy
import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
import yaml

from lipseg.errors import ParamsError
from lipseg.params import Net, as_dict, load_params, parse_params, parse_section

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]
GOOD = yaml.safe_load(FILES[0].read_text(encoding="utf-8"))
LEAVES = ["seed", *(f"{section}.{key}" for section, part in GOOD.items() if section != "seed" for key in part)]


def changed(**values):
    """The good parameters with ``section__key=value`` changed."""
    raw = copy.deepcopy(GOOD)
    for name, value in values.items():
        *sections, key = name.split("__")
        part = raw
        for section in sections:
            part = part[section]
        part[key] = value
    return raw


def put(path, value):
    return changed(**{path.replace(".", "__"): value})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_the_repository_load(path):
    params = load_params(path)
    assert as_dict(params).keys() == GOOD.keys()


def test_values_are_those_of_the_file():
    params = parse_params(changed(cluster__covariances=["full", "tied"], augment__roll=7, train_base__epochs=3))
    assert params.cluster.covariances == ("full", "tied")
    assert params.augment.roll == 7.0
    assert isinstance(params.augment.roll, float)  # an int is accepted for a float
    assert params.train_base.epochs == 3


def test_parameters_as_plain_values_read_back_the_same():
    params = parse_params(GOOD)
    assert parse_params(json.loads(json.dumps(as_dict(params)))) == params
    assert as_dict(params.cluster)["covariances"] == list(params.cluster.covariances)


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_missing_key_is_named(leaf):
    raw = copy.deepcopy(GOOD)
    *section, key = leaf.split(".")
    del (raw[section[0]] if section else raw)[key]
    with pytest.raises(ParamsError, match=f"^{leaf}: missing"):
        parse_params(raw)


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("wrong", [None, {"a": 1}, True], ids=["nothing", "mapping", "bool"])
def test_a_badly_typed_value_is_named(leaf, wrong):
    with pytest.raises(ParamsError, match=f"^{leaf}: must be"):
        parse_params(put(leaf, wrong))


@pytest.mark.parametrize("section", [name for name in GOOD if name != "seed"])
def test_an_unknown_key_is_named_beside_the_known_ones(section):
    with pytest.raises(
        ParamsError, match=rf"^{section}\.speling: unknown key; known here: .*{next(iter(GOOD[section]))}"
    ):
        parse_params(put(f"{section}.speling", 1))
    with pytest.raises(ParamsError, match=f"^{section}: missing"):
        parse_params({key: part for key, part in GOOD.items() if key != section})
    with pytest.raises(ParamsError, match=f"^{section}: must hold keys"):
        parse_params(put(section, [1]))


def test_an_unknown_section_is_named():
    with pytest.raises(ParamsError, match=r"^tyop: unknown"):
        parse_params(put("tyop", {}))


@pytest.mark.parametrize("raw", [None, [], "text", 3])
def test_a_file_without_keys_is_refused(raw):
    with pytest.raises(ParamsError, match="keys and values"):
        parse_params(raw)


def test_a_number_that_yaml_takes_for_text_is_explained():
    assert yaml.safe_load("1e-3") == "1e-3"
    with pytest.raises(ParamsError, match=r"^train_base.learning_rate: .*write 1\.0e-3, not 1e-3"):
        parse_params(put("train_base.learning_rate", "1e-3"))
    with pytest.raises(ParamsError, match=r"^train_base.epochs: must be a whole number, not 2\.5"):
        parse_params(put("train_base.epochs", 2.5))


@pytest.mark.parametrize(
    ("leaf", "wrong"),
    [
        ("seed", -1),
        ("data.source", ""),
        ("data.root", ""),
        ("data.validation_share", 0.0),
        ("data.validation_share", 1.0),
        ("data.test_share", -0.1),
        ("synthesize.train", 9),
        ("synthesize.test", 1),
        ("synthesize.image_size", 32),
        ("crop.size_px", 8),
        ("crop.context", 0.5),
        ("crop.min_mouth_px", 0.0),
        ("crop.max_skipped_share", 1.0),
        ("crop.workers", -1),
        ("view.size_px", 63),
        ("view.size_px", 40),  # of the hourglass a multiple of 16
        ("view.shape", "round"),
        ("view.margin", -0.1),
        ("augment.shift", 1.1),
        ("augment.roll", 181.0),
        ("augment.mirror", -0.1),
        ("statistics.per", "face"),
        ("net.kind", "resnet"),
        ("net.width", 2),
        ("net.fc5", 0),
        ("train_base.epochs", 0),
        ("train_base.patience", -1),
        ("train_base.learning_rate", 0.0),
        ("train_base.learning_rate", float("nan")),
        ("train_base.learning_rate", float("inf")),
        ("train_base.schedule", "linear"),
        ("train_base.weight_decay", -1.0),
        ("train_base.average", 1.0),
        ("train_base.loss", "l1"),
        ("train_base.validate_on", "true"),
        ("teach.teachers", -1),
        ("teach.share", 1.5),
        ("extract.views", -1),
        ("cluster.min_components", 0),
        ("cluster.max_components", 0),
        ("cluster.covariances", []),
        ("cluster.covariances", ["full", "round"]),
        ("cluster.covariances", ["full", 3]),
        ("cluster.covariances", "full"),
        ("cluster.pca", 0),
        ("cluster.restarts", 0),
        ("cluster.criterion", "elbow"),
        ("cluster.min_share", 1.0),
        ("cluster.regularisation", 0.0),
        ("finetune.units", 113),
        ("finetune.sampled", -1),
        ("finetune.pull", []),
        ("finetune.control_pull", [0.0]),
        ("finetune.assignment", "firm"),
        ("evaluate.shift", 1.0),
        ("evaluate.scale", -0.1),
        ("evaluate.resamples", 99),
        ("evaluate.examples", 0),
        ("detect.detector", "haar"),
        ("detect.size_px", 32),
        ("detect.threshold", 1.1),
        ("locate.size_px", 44),
        ("locate.roll", 61.0),
        ("bundle.name", ""),
    ],
)
def test_a_value_out_of_range_is_named(leaf, wrong):
    with pytest.raises(ParamsError, match=f"^{leaf}: must (be|have) ") as caught:
        parse_params(put(leaf, wrong))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("leaf", "wrong", "said"),
    [
        ("crop.size_px", 8, "must be greater than or equal to 16, not 8"),
        ("crop.size_px", "64", "must be a whole number, not '64'"),
        ("crop.size_px", 64.0, "must be a whole number, not 64.0"),
        ("view.shape", "round", "must be 'square' or 'stretch', not 'round'"),
        ("view.margin", 5.0, "must be 1 to 4 for view.shape square, not 5.0"),
        ("cluster.covariances", "full", "must be a list, not 'full'"),
        ("cluster.covariances", [], "must have at least 1 item, not []"),
        ("cluster.covariances", ["full", 3], "must be 'full', 'tied', 'diag' or 'spherical', not 3"),
        ("cluster.max_components", 0, "must be greater than or equal to 1, not 0"),
        ("bundle.name", "", "must have at least 1 character, not ''"),
    ],
)
def test_the_rule_and_the_value_are_in_plain_words(leaf, wrong, said):
    with pytest.raises(ParamsError) as caught:
        parse_params(put(leaf, wrong))
    assert str(caught.value) == f"{leaf}: {said}"


def test_components_are_at_least_as_many_as_the_fewest():
    with pytest.raises(ParamsError, match=r"^cluster\.max_components: must be at least cluster\.min_components \(3\)"):
        parse_params(changed(cluster__min_components=3, cluster__max_components=2))


def test_a_misspelt_key_is_unknown_before_it_is_missing_and_before_any_wrong_value():
    raw = changed(crop__context="wide")
    raw["crop"]["sise_px"] = raw["crop"].pop("size_px")
    with pytest.raises(ParamsError, match=r"^crop\.sise_px: unknown key; known here: size_px, context"):
        parse_params(raw)


def test_a_section_is_frozen_and_checked_wherever_it_is_made():
    crop = parse_params(GOOD).crop
    with pytest.raises(FrozenInstanceError):
        crop.size_px = 3
    with pytest.raises(ValueError, match="size_px"):
        replace(crop, size_px=3)
    with pytest.raises(ParamsError, match=r"^net\.kind: must be 'tcnn' or 'hourglass', not 'none'"):
        parse_section(Net, {"kind": "none", "width": 4, "fc5": 8}, "net")


def test_the_vanilla_network_asks_for_its_view():
    with pytest.raises(ParamsError, match=r"^view\.size_px: must be 40 for net\.kind tcnn, not 64"):
        parse_params(changed(net__kind="tcnn", view__size_px=64))
    assert parse_params(changed(net__kind="tcnn", view__size_px=40)).view.size_px == 40


def test_a_crop_holds_every_jittered_view_of_it():
    with pytest.raises(ParamsError, match=r"^crop\.context: must be at least 2\.5\d, so that"):
        parse_params(changed(crop__context=2.5))
    assert parse_params(changed(crop__context=2.6)).crop.context == 2.6
    with pytest.raises(ParamsError, match=r"^crop\.context"):
        parse_params(changed(view__margin=2.0))


# What would take minutes, or count otherwise than it looks.
_MERGES = "a: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n + 1} {{<<: [*a{n}, *a{n}, *a{n}, *a{n}]}}\n" for n in range(14))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not valid YAML"),
        ("seed: 0", "data: missing"),
        ("a: " + "{" * 50_000, "not valid YAML .nested too deeply"),
        ("- " * 50_000, "not valid YAML .nested too deeply"),
        (_MERGES, "line 2, column 10"),
        ("seed: 0\nseed: 1", "not valid YAML .found the key 'seed' a second time.*line 2"),
        ("seed: 010", "found '010': write numbers in decimal digits"),
        ("seed: 1:30", "found '1:30'"),
        ("seed: 1_0", "found '1_0'"),
        ("seed: yes", "found 'yes': .*true or false"),
    ],
)
def test_the_file_is_named_on_one_line(tmp_path, text, said):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=said) as caught:
        load_params(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match="no such file"):
        load_params(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ParamsError, match="not valid YAML"):
        load_params(tmp_path / "binary.yaml")


def test_there_are_as_many_weights_as_sources():
    two = changed(data__source="helen+ibug", train_base__source_weights=[1.0, 0.5])
    assert parse_params(two).train_base.source_weights == (1.0, 0.5)
    with pytest.raises(
        ParamsError, match=r"train_base\.source_weights: must be empty or have one .* 1 in data\.source"
    ):
        parse_params(changed(train_base__source_weights=[1.0, 0.5]))
    with pytest.raises(ParamsError, match=r"train_base\.source_weights: must be greater than 0"):
        parse_params(changed(train_base__source_weights=[0.0]))
