"""What a model card says in words: what models are for, what not, the terms and gaps of each dataset, conventions."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lipseg.data.annotations import get_reader
from lipseg.errors import DataError

INTENDED_USE = (
    "Landmarks, contours and masks of the lips and the inner mouth in pictures and videos of people who agreed: "
    "make-up, photo editing, videoconferencing, input of lip-reading models, measuring mouth shapes, first labels.",
    "A face about upright and seen from the front, its mouth at least some 20 pixels wide.",
)

OUT_OF_SCOPE = (
    "Telling who somebody is, or whether two pictures show the same person.",
    "Claims about emotion, truthfulness, health, age, origin or any other trait of a person: contours are no evidence.",
    "Diagnosis; and clinical measurement before it was checked on pictures of that kind: none was seen here.",
    "Listening in on people who do not know, and decisions about a person without a human who looks at the picture.",
    "Drawings, animals, masks, profiles and mouths that are mostly covered: the answer is a guess, and looks as sure.",
)

CODE_LICENCE = "The code is under the MIT licence."
NOT_OURS = (
    "The MIT licence of the code cannot grant what these terms keep: check them before any commercial use of this "
    "model, or train one on faces of your own."
)


@dataclass(frozen=True)
class Words:
    """What is said of a dataset.

    Attributes:
        what: which faces and labels it holds, and who published it.
        terms: what it lays on the weights that are learnt from it, a sentence.
        gaps: weaknesses that are known without measuring, a sentence each.
    """

    what: str
    terms: str
    gaps: tuple[str, ...] = ()


_NO_GROUPS = "No figure was measured by age, sex or skin colour."
_TRACED = "The {} landmarks were traced along masks: corners and the line between closed lips are less certain."

DATASETS = {
    "synthetic": Words(
        "lipseg's built-in faces, drawn by formula",
        "The drawn faces are part of lipseg and under its licence.",
        ("What it learnt from drawn faces is there to try the software, not for photographs.",),
    ),
    "helen": Words(
        "Helen: photographs with 194 points a face, of which 58-113 are the lips (Le et al., ECCV 2012)",
        "The weights were learnt from Helen: photographs collected from Flickr, whose rights stay with those who took "
        "them, published for research.",
        (
            "Turned heads (profiles) and covered mouths are rare in Helen, and results there are poor.",
            "Helen's annotations are rounded to whole pixels and differ from what a second annotator draws.",
        ),
    ),
    "ibug": Words(
        "faces with iBUG's 68 points, the lips resampled to 56 (Sagonas et al., 2013)",
        "The weights were learnt from faces annotated by iBUG, which publishes its annotations for research and "
        "not for commercial use, on photographs with terms of their own.",
        ("iBUG's annotations have 20 lip points; what lies between them was interpolated.",),
    ),
    "celebamask": Words(
        "CelebAMask-HQ: photographs with masks of the lips and the inner mouth (Lee et al., CVPR 2020)",
        "The weights were learnt from CelebAMask-HQ: photographs of well-known people, published for non-commercial "
        "research and educational use only, and not to be passed on.",
        (
            "CelebAMask-HQ shows well-known people, made up, well lit and facing the camera more often than people do.",
            _TRACED.format("CelebAMask-HQ"),
        ),
    ),
    "masks": Words(
        "photographs of the user's own with masks of the lips and the inner mouth",
        "The weights were learnt from pictures of the user's own: the terms of those pictures and the consent of who "
        "is in them apply to what is made from them; check both.",
        (
            _TRACED.format("user's"),
            "The eyes of the user's faces are unknown: errors in inter-ocular distances rest on the mouth's width.",
        ),
    ),
}
# Whose terms concern nobody but the user.
_OWN = ("synthetic", "masks")


def words(source: str) -> list[Words]:
    """Returns what is said of each dataset of ``data.source``; ``_own_words`` tells of readers of the user's own."""
    return [DATASETS.get(name) or _own_words(name) for name in source.split("+")]


def what(source: str) -> list[str]:
    """Returns what each dataset of ``data.source`` is."""
    return [dataset.what for dataset in words(source)]


def terms(source: str) -> list[str]:
    """Returns the licence of the code and the terms that each dataset of ``data.source`` lays on the weights."""
    others = [name for name in source.split("+") if name not in _OWN]
    return [CODE_LICENCE, *(dataset.terms for dataset in words(source)), *([NOT_OURS] if others else [])]


def gaps(source: str) -> list[str]:
    """Returns the weaknesses that are known of each dataset of ``data.source`` without measuring."""
    found = [gap for dataset in words(source) for gap in dataset.gaps]
    return found if source == "synthetic" else [*found, _NO_GROUPS]


def annotators(found: Mapping[str, Any]) -> list[str]:
    """Returns whose lips the model's answers are, and where the other sources' annotators draw them, a sentence each.

    Args:
        found: the content of the JSON file of the stage ``conventions``.
    """
    reference, others = found["reference"], found["conventions"]
    said = [f"The answer is the lips as the annotators of '{reference}' draw them."]
    if not others:
        said.append("It has learnt from no others, by whom to tell whether these place mouths a little to one side.")
    for source in others:
        places = "; ".join(
            f"{_place(row, 'right', 'to the right', 'to the left')} and {_place(row, 'down', 'lower', 'higher')} "
            f"at {row['mouths']} mouths ({row['width_px']:.0f} pixels)"
            for row in found["measured"]
            if row["source"] == source
        )
        said.append(
            f"The annotators of '{source}' place mouths elsewhere, in per cent of the mouth's width with 95 % "
            f"intervals: {places}. --convention {source} gives contours as they would have drawn them."
        )
    return said


def _place(row: Mapping[str, Any], way: str, positive: str, negative: str) -> str:
    value, low, high = row[way]
    if value < 0:
        value, low, high, positive = -value, -high, -low, negative
    return f"{value:.1f} [{low:.1f}, {high:.1f}] {positive}"


def _own_words(name: str) -> Words:
    """Returns the constants WHAT, TERMS and GAPS of a reader's module, each where it has one."""
    try:
        module = sys.modules[get_reader(name).__module__]
    except DataError:  # the pictures were cut where it was; a card needs it for these words alone
        module = None
    return Words(
        getattr(module, "WHAT", f"the dataset '{name}', read by a reader of the user's own"),
        getattr(
            module,
            "TERMS",
            f"The weights were learnt from the dataset '{name}': its terms apply to what is made from it; check them.",
        ),
        tuple(getattr(module, "GAPS", ())),
    )
