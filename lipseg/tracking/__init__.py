"""Mouths followed through a video."""

from lipseg.tracking.one_euro import OneEuroParams
from lipseg.tracking.params import TrackParams
from lipseg.tracking.tracked import TrackedFrame, TrackedLips
from lipseg.tracking.tracker import Detect, Tracker, follow

__all__ = ["Detect", "OneEuroParams", "TrackParams", "TrackedFrame", "TrackedLips", "Tracker", "follow"]
