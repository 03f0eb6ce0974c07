"""The files of one clip, opened with its first frame or sound and closed with its last."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lipseg.mouth_clips.cutting import ClipFrame
from lipseg.mouth_clips.frames import FRAME_WRITERS, FrameWriter, WavWriter
from lipseg.mouth_clips.params import ClipParams
from lipseg.mouth_clips.planning import ClipPlan
from lipseg.mouth_clips.rows import ROW_WRITERS, ClipRows
from lipseg.mouth_clips.sound import Samples, SoundCutter

_TIME_DECIMALS = 6


class ClipFiles:
    """The files of one clip in a folder; however many people a film has, those in its present are open.

    Attributes:
        entry: what the index says about the clip.
    """

    def __init__(
        self,
        folder: Path,
        plan: ClipPlan,
        params: ClipParams,
        formats: Sequence[str],
        rows: str,
        sound: SoundCutter | None,
        video: str,
    ) -> None:
        """Prepares for the first frame.

        Args:
            folder: that they lie in.
            plan: of the clip.
            params: what its frames look like.
            formats: names of ``FRAME_WRITERS``.
            rows: a name of ``ROW_WRITERS``.
            sound: cuts the sound; None for a clip without.
            video: the source's name.
        """
        self._folder, self._plan, self._params, self._sound = folder, plan, params, sound
        self._kinds: list[type[FrameWriter]] = [FRAME_WRITERS[name] for name in formats]
        if sound is not None:
            if not any(kind.holds_sound for kind in self._kinds):
                self._kinds.append(WavWriter)
            sound.add(plan.start_s, plan.end_s, self._hear)
        self._rows_kind, self._rows_name = ROW_WRITERS[rows], f"{plan.person}.{rows}"
        self._writers: list[FrameWriter] = []
        self._rows: ClipRows | None = None
        self._left = len(plan.frames)
        self._samples_left = sound.length(plan.start_s, plan.end_s) if sound else 0
        self.entry: dict[str, Any] = {
            "person": plan.person,
            "start": round(plan.start_s, _TIME_DECIMALS),
            "end": round(plan.end_s, _TIME_DECIMALS),
            "fps": round(1 / plan.step_s, _TIME_DECIMALS),
            "width": params.width,
            "height": params.height,
            "frames": len(plan.frames),
            "found": int((plan.seen >= 0).sum()),
            "rows": self._rows_name,
            "files": {kind.name: f"{plan.person}{kind.ending}" for kind in self._kinds},
        }
        self._about = {"video": video} | {key: self.entry[key] for key in self.entry if key not in ("rows", "files")}

    def write(self, frame: ClipFrame) -> None:
        """Writes the next frame and its row.

        Raises:
            OSError: if a file cannot be written.
        """
        self._open()
        for writer in self._writers:
            writer.write(frame)
        assert self._rows is not None
        self._rows.write(frame)
        self._left -= 1
        self._close_if_done()

    def finish(self) -> None:
        """Closes what is still open."""
        self._left = self._samples_left = 0
        self._close_if_done()

    def abandon(self) -> None:
        """Closes what is still open of a clip that will be thrown away; what fails now does not matter."""
        for file in self._take_open():
            with suppress(Exception):
                file.close()

    def _hear(self, samples: Samples) -> None:
        self._open()
        for writer in self._writers:
            if writer.holds_sound:
                writer.write_sound(samples)
        self._samples_left -= len(samples)
        self._close_if_done()

    def _open(self) -> None:
        if self._rows is None:
            self._rows = self._rows_kind(self._folder / self._rows_name, self._about)
            for kind in self._kinds:
                path = self._folder / f"{self._plan.person}{kind.ending}"
                self._writers.append(kind(path, self._plan, self._params, self._sound))

    def _close_if_done(self) -> None:
        if self._left <= 0 and self._samples_left <= 0:
            for file in self._take_open():
                file.close()

    def _take_open(self) -> list[FrameWriter | ClipRows]:
        files: list[FrameWriter | ClipRows] = [*self._writers]
        if self._rows is not None:
            files.append(self._rows)
        self._writers, self._rows = [], None
        return files
