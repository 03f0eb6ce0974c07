"""What a model card says in words: what models are for, what not, the terms and gaps of each dataset, conventions."""

from collections.abc import Mapping
from typing import Any

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

_WHAT = {
    "synthetic": "lipseg's built-in faces, drawn by formula",
    "helen": "Helen: photographs with 194 points a face, of which 58-113 are the lips (Le et al., ECCV 2012)",
    "ibug": "faces with iBUG's 68 points, the lips resampled to 56 (Sagonas et al., 2013)",
    "celebamask": "CelebAMask-HQ: photographs with masks of the lips and the inner mouth (Lee et al., CVPR 2020)",
    "masks": "photographs of the user's own with masks of the lips and the inner mouth",
}

_TERMS = {
    "synthetic": "The drawn faces are part of lipseg and under its licence.",
    "helen": (
        "The weights were learnt from Helen: photographs collected from Flickr, whose rights stay with those who took "
        "them, published for research. The MIT licence of the code cannot grant what they keep: check the dataset's "
        "terms before any commercial use of this model, or train one on faces of your own."
    ),
    "ibug": (
        "The weights were learnt from faces annotated by iBUG, which publishes its annotations for research and not "
        "for commercial use, on photographs with terms of their own: check both before any commercial use of it."
    ),
    "celebamask": (
        "The weights were learnt from CelebAMask-HQ: photographs of well-known people, published for non-commercial "
        "research and educational use only, and not to be passed on. The MIT licence of the code cannot grant more: "
        "check the dataset's terms before any commercial use of this model, or train one on faces of your own."
    ),
    "masks": (
        "The weights were learnt from pictures of the user's own: the terms of those pictures and the consent of who "
        "is in them apply to what is made from them; check both."
    ),
}

_GAPS = {
    "synthetic": ("It has seen drawn faces only: it is there to try the software, not for photographs.",),
    "helen": (
        "Turned heads (profiles) and covered mouths are rare in Helen, and results there are poor.",
        "Helen says nothing of its faces' age, sex or skin colour, so no figure was measured by group.",
        "The annotations are rounded to whole pixels and differ from what a second annotator draws.",
    ),
    "ibug": (
        "The annotations have 20 lip points; what lies between them was interpolated.",
        "Nothing is known of these faces' age, sex or skin colour, so no figure was measured by group.",
    ),
    "celebamask": (
        "CelebAMask-HQ shows well-known people, made up, well lit and facing the camera more often than people do.",
        "Its landmarks were traced along masks: the corners and the line between closed lips are less certain.",
        "No figure was measured by age, sex or skin colour.",
    ),
    "masks": (
        "The landmarks were traced along masks: the corners and the line between closed lips are less certain.",
        "The eyes were not annotated: errors in inter-ocular distances rest on the mouth's width.",
        "Nothing is known of these faces' age, sex or skin colour, so no figure was measured by group.",
    ),
}


def what(source: str) -> list[str]:
    """Returns what each dataset of ``data.source`` is."""
    return [_WHAT.get(name, f"the dataset '{name}', read by a reader of the user's own") for name in source.split("+")]


def terms(source: str) -> list[str]:
    """Returns the licence of the code and the terms that each dataset of ``data.source`` lays on the weights."""
    unknown = "The weights were learnt from the dataset '{}': its terms apply to what is made from it; check them."
    return [CODE_LICENCE, *(_TERMS.get(name, unknown.format(name)) for name in source.split("+"))]


def gaps(source: str) -> list[str]:
    """Returns the weaknesses that are known of each dataset of ``data.source`` without measuring."""
    return [gap for name in source.split("+") for gap in _GAPS.get(name, ())]


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
