"""Clips of mouths cut out of videos for lip readers: upright, centred, scaled, at a fixed rate, with their sound."""

from lipseg.mouth_clips.cutting import ClipFrame, mouth_frames
from lipseg.mouth_clips.dataset import MouthClips
from lipseg.mouth_clips.params import PRESETS, ClipParams
from lipseg.mouth_clips.process import ClipSummary, cut_clips

__all__ = ["PRESETS", "ClipFrame", "ClipParams", "ClipSummary", "MouthClips", "cut_clips", "mouth_frames"]
