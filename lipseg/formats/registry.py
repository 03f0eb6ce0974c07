"""The formats of pictures by name."""

from lipseg.formats.coco import CocoWriter
from lipseg.formats.csv_table import CsvWriter
from lipseg.formats.gathered import GatheredWriter
from lipseg.formats.json_lines import JsonWriter
from lipseg.formats.labelme import LabelmeWriter
from lipseg.formats.mask import MaskWriter
from lipseg.formats.matte import MatteWriter
from lipseg.formats.overlay import OverlayWriter
from lipseg.formats.picture_file import PictureWriter
from lipseg.formats.svg import SvgWriter

WRITERS: dict[str, type[PictureWriter] | type[GatheredWriter]] = {
    writer.name: writer
    for writer in (JsonWriter, MaskWriter, MatteWriter, OverlayWriter, SvgWriter, LabelmeWriter, CocoWriter, CsvWriter)
}

# Of the files that are pictures themselves, which a later run must not take for its input.
PICTURE_ENDINGS = (MaskWriter.ending, MatteWriter.ending, OverlayWriter.ending)
