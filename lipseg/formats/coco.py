"""The lips of all pictures as one COCO file (https://cocodataset.org/#format-data)."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lipseg import __version__
from lipseg.formats.gathered import GatheredWriter, Row
from lipseg.formats.record import PictureRecord, finite_score, rounded

if TYPE_CHECKING:
    from lipseg.inference.lips import Lips

_DESCRIPTION = "lipseg: upper lip, lower lip, inner mouth, and 56 landmarks"
_SUPERCATEGORY = "mouth"
# COCO's flag of a landmark: 0 not labelled, 2 visible.
_ABSENT, _VISIBLE = 0, 2


class CocoWriter(GatheredWriter):
    """``coco.json``: an annotation a region with its polygon, and one of "lips" with the 56 landmarks, for each face.

    COCO counts from the corner of the first pixel: 0.5 more in x and y than lipseg's own coordinates, whose pixel
    centres are at integers. Polygons are cut off at the picture's edge, and landmarks beyond it count as not labelled.
    The polygons of "lips" are those of the upper and of the lower lip. ``file_name`` is the picture's path below the
    folder that was given; "attributes" holds the number of the face in its picture and the mouth's state.
    """

    name = "coco"
    file_name = "coco.json"

    def row(self, place: str, record: PictureRecord) -> Row:
        height, width = record.picture_size
        annotations = [
            annotation
            for face, lips in enumerate(record.lips)
            for annotation in _annotations(lips, face, height, width)
        ]
        return {"image": place, "width": width, "height": height, "annotations": annotations}

    def compose(self, rows: Iterable[Row]) -> Iterator[str]:
        info = {"description": _DESCRIPTION, "version": __version__}
        yield f'{{"info": {json.dumps(info)},\n"licenses": [],\n"categories": {json.dumps(_categories())},\n"images": ['
        for number, row in enumerate(rows, start=1):
            image = {"id": number, "file_name": row["image"], "width": row["width"], "height": row["height"]}
            yield ("" if number == 1 else ",") + "\n" + json.dumps(image)
        yield '\n],\n"annotations": ['
        count = 0
        for number, row in enumerate(rows, start=1):
            for annotation in row["annotations"]:
                count += 1
                yield ("" if count == 1 else ",") + "\n" + json.dumps({"id": count, "image_id": number, **annotation})
        yield "\n]}\n"

    def rows_of(self, text: str) -> list[Row]:
        content = json.loads(text)
        if content["info"]["description"] != _DESCRIPTION or content["categories"] != _categories():
            raise ValueError("another COCO file")
        rows: dict[int, Row] = {
            image["id"]: {
                "image": image["file_name"],
                "width": image["width"],
                "height": image["height"],
                "annotations": [],
            }
            for image in content["images"]
        }
        for annotation in content["annotations"]:
            plain = {key: value for key, value in annotation.items() if key not in ("id", "image_id")}
            rows[annotation["image_id"]]["annotations"].append(plain)
        return list(rows.values())


def _category_ids() -> dict[str, int]:
    """Returns the number of each category; COCO counts from 1, landmarks of the skeleton, images and the rest too."""
    from lipseg import scheme

    return {name: number for number, name in enumerate((*scheme.REGION_NAMES.values(), "lips"), start=1)}


def _categories() -> list[dict[str, Any]]:
    from lipseg import scheme

    categories: list[dict[str, Any]] = [
        {"id": number, "name": name, "supercategory": _SUPERCATEGORY, "keypoints": [], "skeleton": []}
        for name, number in _category_ids().items()
    ]
    # The others have none, and say so: CVAT and Datumaro take landmarks only from files in which all categories do.
    categories[-1] |= {
        "keypoints": list(scheme.POINT_NAMES),
        "skeleton": [[a + 1, b + 1] for a, b in scheme.EDGES],
    }
    return categories


def _annotations(lips: "Lips", face: int, height: int, width: int) -> list[dict[str, Any]]:
    """Returns the annotations of a face without their numbers: its regions that lie in the picture, then its lips."""
    import numpy as np

    from lipseg.rendering.polygons import area, from_corner, regions_in_picture

    numbers, score = _category_ids(), finite_score(lips)
    shared = {
        "iscrowd": 0,
        **({} if score is None else {"score": score}),
        "attributes": {"face": face, "component": lips.component},
    }

    def shape(category: str, polygons: list[Any]) -> dict[str, Any]:
        corners = np.concatenate(polygons)
        low, high = corners.min(0), corners.max(0)
        return {
            "category_id": numbers[category],
            "segmentation": [rounded(polygon.ravel()) for polygon in polygons],
            "bbox": rounded((*low, *(high - low))),
            "area": rounded([sum(map(area, polygons))])[0],
            **shared,
            "keypoints": [],
            "num_keypoints": 0,
        }

    regions = regions_in_picture(lips.landmarks, height, width)
    both = [regions[name] for name in ("upper_lip", "lower_lip") if name in regions]
    found = [shape(name, [polygon]) for name, polygon in regions.items()]
    if not both:
        return found
    points = from_corner(lips.landmarks)
    inside = np.all((points >= 0) & (points <= (width, height)), axis=1)
    keypoints = [
        value
        for point, visible in zip(points.tolist(), inside.tolist(), strict=True)
        for value in ((*rounded(point), _VISIBLE) if visible else (0, 0, _ABSENT))
    ]
    return [*found, shape("lips", both) | {"keypoints": keypoints, "num_keypoints": int(np.count_nonzero(inside))}]
