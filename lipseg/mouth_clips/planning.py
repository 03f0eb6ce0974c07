"""From what was seen to the frames of each clip: which of the source's frames is shown at which of the clip's times."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.mouth_clips.observing import Observed, Track
from lipseg.mouth_clips.params import ClipParams
from lipseg.mouth_clips.path import MouthPath

# Where the source has no frame within so many of its own usual steps, a clip has none to show.
_STEPS = 1.01


@dataclass(frozen=True, slots=True, eq=False)
class ClipPlan:
    """The frames of the clip of one person.

    Attributes:
        person: counts from 1 in the order of appearance, among those who get a clip.
        times: (n,) seconds in the source, of each frame of the clip.
        frames: (n,) position of the source's frame that is shown, -1 where the source has none.
        seen: (n,) position in ``track`` of that frame, -1 where the mouth was not found in it.
        step_s: seconds from one frame to the next, on average.
        track: what was seen of the mouth.
        path: where it is cut out.
    """

    person: int
    times: NDArray[np.float64]
    frames: NDArray[np.int64]
    seen: NDArray[np.int64]
    step_s: float
    track: Track
    path: MouthPath

    @property
    def start_s(self) -> float:
        """When the first frame begins, in seconds of the source."""
        return float(self.times[0])

    @property
    def end_s(self) -> float:
        """When the last frame ends."""
        return float(self.times[-1]) + self.step_s


def plan_clips(observed: Observed, params: ClipParams) -> tuple[list[ClipPlan], int]:
    """Returns the clip of every person who is seen for long enough, and how many were not."""
    times = observed.times
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 1 / (params.fps or 25.0)
    plans: list[ClipPlan] = []
    for track in observed.tracks:
        first, last = track.frames[0], track.frames[-1]
        if len(track.frames) * usual < params.shortest_s:
            continue
        if params.fps:
            step = 1 / params.fps
            # One grid for the whole video: the clips of two people run in step, and so does what is known of its sound.
            ticks = np.arange(np.round(times[first] / step), np.round(times[last] / step) + 1)
            at = ticks * step
            frames = _nearest(times, at)
            frames[np.abs(times[frames] - at) > _STEPS * max(usual, step / 2)] = -1
        else:
            step = usual
            frames = np.arange(first, last + 1)
            at = times[frames]
        own = np.array(track.frames)
        place = np.clip(np.searchsorted(own, frames), 0, len(own) - 1)
        seen = np.where((frames >= 0) & (own[place] == frames), place, -1)
        (shown,) = np.nonzero(seen >= 0)
        if not shown.size:
            continue
        # The ticks next to the ends may lie nearer to frames before and after.
        span = slice(shown[0], shown[-1] + 1)
        path = MouthPath(times[own], np.stack(track.landmarks), params)
        plans.append(ClipPlan(len(plans) + 1, at[span], frames[span], seen[span], step, track, path))
    return plans, len(observed.tracks) - len(plans)


def _nearest(times: NDArray[np.float64], at: NDArray[Any]) -> NDArray[np.int64]:
    """Returns the position of the time that lies nearest to each of ``at``."""
    after = np.clip(np.searchsorted(times, at), 1, max(len(times) - 1, 1))
    if len(times) == 1:
        return np.zeros(len(at), np.int64)
    before = after - 1
    return np.where(at - times[before] <= times[after] - at, before, after).astype(np.int64)
