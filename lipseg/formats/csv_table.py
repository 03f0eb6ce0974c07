"""The landmarks of all pictures as one table."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from lipseg.formats.gathered import GatheredWriter, Row
from lipseg.formats.record import PictureRecord, finite_score, rounded


class CsvWriter(GatheredWriter):
    """``landmarks.csv``: a row a face; of a picture without a face one row, empty but for the picture.

    ``image`` is the picture's path below the folder that was given. Coordinates are lipseg's own: pixels of the upright
    picture, pixel centres at integers, points in the order of ``lipseg.scheme``.
    """

    name = "csv"
    file_name = "landmarks.csv"

    def row(self, place: str, record: PictureRecord) -> Row:
        faces = [
            [face, finite_score(lips), lips.component, *rounded(lips.landmarks[:, 0]), *rounded(lips.landmarks[:, 1])]
            for face, lips in enumerate(record.lips)
        ]
        return {"image": place, "faces": faces}

    def compose(self, rows: Iterable[Row]) -> Iterator[str]:
        header = _header()
        yield _line(header)
        empty = [None] * (len(header) - 1)
        for row in rows:
            for face in row["faces"] or [empty]:
                yield _line([row["image"], *face])

    def rows_of(self, text: str) -> list[Row]:
        lines = csv.reader(io.StringIO(text, newline=""))
        header = _header()
        if next(lines, None) != header:
            raise ValueError("another table")
        rows: dict[str, Row] = {}
        for image, *fields in lines:
            if len(fields) != len(header) - 1:
                raise ValueError("rows of different lengths")
            faces = rows.setdefault(image, {"image": image, "faces": []})["faces"]
            # Kept as text, so that an earlier run's numbers are written again as they were.
            faces += [fields] if fields[0] else []
        return list(rows.values())


def _header() -> list[str]:
    from lipseg import scheme

    return [
        *("image", "face", "score", "component"),
        *(f"{axis}{point}" for axis in "xy" for point in range(scheme.N_POINTS)),
    ]


def _line(fields: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    return buffer.getvalue()
