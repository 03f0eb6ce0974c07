"""The model folder: its constants there and back, and a card that cannot be used is refused in words."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from known_networks import RUNTIME, cascade_network, locator_network, write_model

from lipseg import scheme
from lipseg.errors import ModelError
from lipseg.geometry import View
from lipseg.inference import card as module
from lipseg.inference.card import (
    CARD,
    CASCADE,
    FORMAT,
    LOCATOR,
    check_model_folder,
    described,
    read_card,
    read_network,
    sha256_of,
)
from lipseg.inference.conventions import Convention
from lipseg.inference.relation import Relation
from lipseg.inference.runtime import LocatorConstants, LocatorView, Runtime, Thresholds


@pytest.fixture
def folder(tmp_path):
    return write_model(tmp_path / "model")


NUMBERS = st.floats(-9, 9)
SIZES = st.integers(1, 4096)
MARGINS = st.floats(0.1, 9)
RUNTIMES = st.builds(
    Runtime,
    st.builds(View, SIZES, st.sampled_from(["square", "stretch"]), MARGINS),
    SIZES,
    st.none()
    | st.builds(
        LocatorConstants,
        st.builds(LocatorView, SIZES, MARGINS),
        st.builds(Relation, NUMBERS, NUMBERS, MARGINS, MARGINS),
        st.integers(1, 4),
    ),
    st.builds(Thresholds, st.booleans(), *[NUMBERS] * 9),
    st.just("mine"),
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "mine"),
        st.builds(
            lambda some, pixels: Convention(tuple(some) * 28, pixels),
            st.lists(NUMBERS, min_size=4, max_size=4),
            st.tuples(NUMBERS, NUMBERS),
        ),
        max_size=2,
    ),
)


@given(RUNTIMES)
def test_constants_there_and_back(runtime):
    card = json.loads(json.dumps({"runtime": runtime.as_json()}, allow_nan=False))
    assert Runtime.from_card(card, CARD) == runtime


def test_a_card_says_the_order_of_the_landmarks_to_other_languages():
    order = RUNTIME.as_json()["scheme"]
    assert order["points"] == 56
    assert [range(*order[name]) for name in ("outer", "inner")] == [range(28), range(28, 56)]
    assert (*order["outer_corners"], *order["inner_corners"]) == (*scheme.OUTER_CORNERS, *scheme.INNER_CORNERS)


def leaves(value, path=()):
    """Yields the paths of all keys of nested objects."""
    for key, inner in value.items():
        yield (*path, key)
        if isinstance(inner, dict):
            yield from leaves(inner, (*path, key))


# A card may well lack a convention; not a part of one.
NEEDED = [path for path in leaves(RUNTIME.as_json()) if path[0] != "scheme" and path != ("conventions", "elsewhere")]
NO_NUMBERS = ("locator", "shape", "reference", "conventions")


@pytest.mark.parametrize("path", NEEDED, ids="/".join)
def test_a_missing_key_is_named(path):
    raw = RUNTIME.as_json()
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(ModelError, match=rf"card\.json: runtime: '{path[-1]}' is missing; get the folder again"):
        Runtime.from_card({"runtime": raw}, CARD)


def test_a_card_without_constants_is_refused():
    with pytest.raises(ModelError, match="'runtime' is missing"):
        Runtime.from_card({}, CARD)
    for nothing in (None, [], 3, "runtime"):
        with pytest.raises(ModelError, match=r"card\.json: runtime: "):
            Runtime.from_card({"runtime": nothing}, CARD)


def refuses(path, value):
    """Puts a value in the place of a constant, and sees the card refused."""
    raw = copy.deepcopy(RUNTIME.as_json())
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(ModelError, match=r"card\.json: runtime: .*; get the folder again"):
        Runtime.from_card({"runtime": raw}, CARD)


WRONG = [None, "many", [1], {}, float("nan"), float("inf"), -float("inf"), 10**400]


@pytest.mark.parametrize("path", [path for path in NEEDED if path[-1] not in NO_NUMBERS], ids="/".join)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:9])
def test_what_is_no_number_is_refused(path, value):
    refuses(path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("view", "size"), 0),
        (("view", "size"), -8),
        (("view", "size"), 1_000_000),
        (("view", "size"), 8.5),
        (("view", "size"), True),
        (("view", "margin"), 0),
        (("view", "margin"), -1.6),
        (("view", "shape"), "round"),
        (("view", "shape"), None),
        (("components",), 0),
        (("components",), 10**9),
        (("locator", "view", "size"), 0),
        (("locator", "view", "size"), 5000),
        (("locator", "view", "margin"), 0.0),
        (("locator", "relation", "width"), 0.0),
        (("locator", "relation", "height"), -0.1),
        (("locator", "passes"), 0),
        (("locator", "passes"), 10**9),
        (("reference",), None),
        (("reference",), 3),
        (("reference",), "elsewhere"),
        (("conventions",), None),
        (("conventions",), ["elsewhere"]),
        (("conventions", "elsewhere"), None),
        (("conventions", "elsewhere"), [0.1] * 114),
        (("conventions", "elsewhere", "offset"), [0.1] * 110),
        (("conventions", "elsewhere", "offset"), [0.1] * 111 + [float("nan")]),
        (("conventions", "elsewhere", "offset"), [[0.1, 0.1]] * 56),
        (("conventions", "elsewhere", "pixels"), [0.1]),
        (("conventions", "elsewhere", "pixels"), [0.1, float("inf")]),
        (("conventions", "elsewhere", "pixels"), [True, False]),
        (("thresholds", "nothing_like_it"), 1.0),
        (("locator", "relation", "depth"), 1.0),
    ],
    ids=str,
)
def test_absurd_constants_are_refused(path, value):
    refuses(path, value)


def test_a_stretched_view_may_end_at_the_box():
    runtime = Runtime(View(8, "stretch", 0.0), 1)
    assert Runtime.from_card({"runtime": runtime.as_json()}, CARD) == runtime


def test_a_card_is_read_with_all_that_it_says(folder):
    card = read_card(folder)
    assert (card["format"], card["name"]) == (FORMAT, "known")
    assert Runtime.from_card(card, folder / CARD) == RUNTIME


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a readable model card"),
        (b'{"format": 5', "not a readable model card"),
        (b"\xff\xfe\x00", "not a readable model card"),
        (b"[" * 100_000, "not a readable model card"),
        (b"[4]", "a model card is a JSON object, not a list"),
        (b"{}", "a model of format None; this lipseg reads format 5"),
        (b'{"format": 4}', "a model of format 4; .*make repro"),
        (b'{"format": "5"}', "a model of format '5'"),
    ],
    ids=["empty", "cut off", "bytes", "deep", "list", "nothing", "format 4", "text"],
)
def test_a_card_that_cannot_be_read_is_refused(folder, content, said):
    (folder / CARD).write_bytes(content)
    with pytest.raises(ModelError, match=rf"card\.json: {said}"):
        read_card(folder)


@pytest.mark.parametrize("name", [CARD, CASCADE])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}: missing, so .* is no lipseg model"):
        check_model_folder(folder)


def test_no_folder_says_how_to_get_one(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"none: no model folder there; train one with `make repro`"):
        check_model_folder(tmp_path / "none")
    monkeypatch.setattr(module, "DEFAULT_MODEL", tmp_path / "shipped")
    with pytest.raises(ModelError, match="this lipseg came without a model"):
        check_model_folder(tmp_path / "shipped")


def test_networks_are_those_that_the_card_was_written_for(folder):
    card = read_card(folder)
    assert card["files"] == described(folder)
    assert read_network(folder, CASCADE, card) == cascade_network()
    assert read_network(folder, LOCATOR, card) == locator_network()
    assert card["files"][CASCADE]["sha256"] == sha256_of(folder / CASCADE)


@pytest.mark.parametrize("name", [CASCADE, LOCATOR])
@pytest.mark.parametrize("at", [0, 50, -1])
def test_one_flipped_bit_is_refused(folder, name, at):
    content = bytearray((folder / name).read_bytes())
    content[at] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: not the file that card\.json describes \(another SHA-256\)"):
        read_network(folder, name, read_card(folder))


def test_a_network_of_another_size_or_none_is_refused(folder):
    card = read_card(folder)
    (folder / CASCADE).write_bytes(cascade_network() + b"\0")
    with pytest.raises(ModelError, match=r"cascade\.onnx: not the file that card\.json describes \(another size\)"):
        read_network(folder, CASCADE, card)
    (folder / CASCADE).unlink()
    with pytest.raises(ModelError, match=r"cascade\.onnx: cannot be read \(No such file"):
        read_network(folder, CASCADE, card)


@pytest.mark.parametrize("files", [None, [], "all", {}, {CASCADE: None}, {CASCADE: "abc"}, {CASCADE: {}}], ids=str)
def test_a_card_that_describes_no_network_is_refused(folder, files):
    with pytest.raises(ModelError, match=r"cascade\.onnx: not the file that card\.json describes"):
        read_network(folder, CASCADE, {"files": files})
    with pytest.raises(ModelError, match=r"cascade\.onnx: not the file that card\.json describes"):
        read_network(folder, CASCADE, {})


def test_a_folder_without_a_locator_describes_none(folder):
    (folder / LOCATOR).unlink()
    assert list(described(folder)) == [CASCADE]
