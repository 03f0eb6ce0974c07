"""What a mouth clip looks like, and the settings that public lip readers were trained with."""

import math
from dataclasses import dataclass

from lipseg.errors import DataError

ALIGNMENTS = ("similarity", "none")
GAPS = ("blank", "interpolate")


@dataclass(frozen=True, slots=True)
class ClipParams:
    """What a mouth clip looks like.

    Attributes:
        width: pixels of a clip's frame.
        height: pixels of a clip's frame.
        fps: frames a second: of each of its ticks the source's nearest frame is taken. 0 takes every frame of the
            source at its own time.
        grey: whether frames have one channel.
        align: "similarity" turns the mouth upright; "none" only moves and scales.
        mouth_width: pixels between the mouth's outer corners in the clip, on average over about a second; None takes
            half the clip's width.
        gaps: what is shown while the mouth is not found: "blank" is black; "interpolate" cuts where it must have been,
            between the place before and the one after, if these are at most ``longest_gap_s`` apart. Either way such
            frames are marked as not found.
        smooth_s: standard deviation in seconds of the weights by which the mouth's place is smoothed over time.
        roll_s: the same of its roll.
        scale_s: the same of its width. Long enough that lips that purse or spread keep their width in the clip, while
            a head that comes nearer does not grow.
        longest_gap_s: place, roll and width are smoothed over gaps up to this length, in seconds, and begin anew after
            longer ones.
        shortest_s: people seen for a shorter time get no clip.
    """

    width: int = 96
    height: int = 96
    fps: float = 25.0
    grey: bool = False
    align: str = "similarity"
    mouth_width: float | None = None
    gaps: str = "blank"
    smooth_s: float = 0.06
    roll_s: float = 0.2
    scale_s: float = 0.6
    longest_gap_s: float = 0.5
    shortest_s: float = 0.4

    def __post_init__(self) -> None:
        if not (8 <= self.width <= 2048 and 8 <= self.height <= 2048):
            raise DataError(f"a clip must be 8 to 2048 pixels wide and high, not {self.width} x {self.height}")
        if not (math.isfinite(self.fps) and 0 <= self.fps <= 1000):
            raise DataError(f"fps must be from 0 (as the video is) to 1000, not {self.fps:g}")
        if self.align not in ALIGNMENTS:
            raise DataError(f"align must be {' or '.join(ALIGNMENTS)}, not '{self.align}'")
        if self.gaps not in GAPS:
            raise DataError(f"gaps must be {' or '.join(GAPS)}, not '{self.gaps}'")
        if self.mouth_width is not None and not 4 <= self.mouth_width <= 4096:
            raise DataError(f"the mouth must be 4 to 4096 pixels wide, not {self.mouth_width:g}")
        if not min(self.smooth_s, self.roll_s, self.scale_s) > 0 or not min(self.longest_gap_s, self.shortest_s) >= 0:
            raise DataError("spans of time must be positive")

    @property
    def mouth_px(self) -> float:
        """Pixels between the mouth's corners in the clip."""
        return self.width / 2 if self.mouth_width is None else self.mouth_width


# The sources of the numbers; paths are those of the projects' repositories on GitHub.
#
# auto_avsr (mpc001/auto_avsr): 96 x 96, grey, preparation/detectors/*/video_process.py (crop_width, crop_height,
#   convert_gray; stable points aligned with a mean face of 256 x 256 by a similarity, cut about the mean of the mouth's
#   points); its networks see the middle 88 x 88, less .421, over .165 (datamodule/transforms.py).
# lipreading_tcn (mpc001/Lipreading_using_Temporal_Convolutional_Networks): 96 x 96, preprocessing/
#   crop_mouth_from_video.py (crop-width, crop-height, the same mean face), grey with --convert-gray as
#   lipreading/dataloaders.py expects it (mean .421, deviation .165, 88 x 88); clips as .npz with the key "data"
#   (preprocessing/utils.py, save2npz).
# av_hubert (facebookresearch/av_hubert): 96 x 96 at 25 frames a second in colour, avhubert/preparation/align_mouth.py
#   (crop-width, crop-height; fps = 25 in write_video_ffmpeg), after lipreading_tcn.
# All three: 25 frames a second are those of LRW, LRS2 and LRS3 (Chung and Zisserman, "Lip reading in the wild", ACCV
#   2016). Their mean face, 20words_mean_face.npy, sets the mouth's width; in their crops it takes about half the width.
#   That half is an estimate by eye, not read from the file, which is m[54] - m[48] of it.
# lipnet (rizkiarm/LipNet): 100 x 50 in colour, not turned, lipnet/lipreading/videos.py (MOUTH_WIDTH, MOUTH_HEIGHT,
#   HORIZONTAL_PAD = .19 of the mouth's ends' x in the frame: for a mouth 50 pixels wide in the middle of GRID's 360
#   pixels the ratio is 100 / (205 * 1.19 - 155 * .81), which makes it 42 wide); 25 frames a second are GRID's (Cooke et
#   al., "An audio-visual corpus for speech perception and automatic speech recognition", JASA 2006).
PRESETS: dict[str, ClipParams] = {
    "auto_avsr": ClipParams(grey=True, mouth_width=48.0),
    "lipreading_tcn": ClipParams(grey=True, mouth_width=48.0),
    "av_hubert": ClipParams(mouth_width=48.0),
    "lipnet": ClipParams(width=100, height=50, align="none", mouth_width=42.0),
}
