"""When the detector is asked: rarely while all goes well, at once when a mouth is lost, then ever more rarely."""


class DetectionSchedule:
    """Which frames are searched by the detector.

    Attributes:
        index: of the current frame, counted from 0.
    """

    def __init__(self, first: int) -> None:
        """Begins at frame 0; ``first`` is the frame of the first detection."""
        self.index = 0
        self._next = first
        self._gap = 1

    def due(self) -> bool:
        """Whether the current frame is to be searched."""
        return self.index >= self._next

    def at_once(self) -> None:
        """Makes the current frame due, or the next one if this frame is over; soon again after it."""
        self._next, self._gap = self.index, 1

    def wait(self, limit: int, *, settled: bool | None) -> None:
        """Sets, after a detection, when the next one is due.

        Args:
            limit: most frames between two detections.
            settled: True waits the whole limit, False begins with a gap of one frame again; None doubles the gap.
        """
        if settled is not None:
            self._gap = limit if settled else 1
        self._next = self.index + min(self._gap, limit)
        self._gap = min(2 * self._gap, limit)
