"""How mouths are followed: the settings of a tracker."""

from dataclasses import dataclass, field

from lipseg.tracking.one_euro import OneEuroParams


@dataclass(frozen=True, slots=True)
class TrackParams:
    """How mouths are followed.

    Attributes:
        detect_every: frames between two detections that look for new people while every mouth is followed.
        search_every: frames between two detections while there is none (they begin right away and grow rarer up to
            this).
        keep_lost_s: seconds for which a lost track keeps its id, to be taken up where its mouth is seen again.
        min_score: a mouth that scores less for ``patience`` frames running is lost, and a detected one that scores
            less is none; where the segmenter was given a higher least score, that one counts.
        patience: see ``min_score``.
        unconfirmed: detections running that may miss a mouth before it is lost.
        max_mouths: mouths followed at once, the largest first; None is no limit.
        smooth: of the landmarks, None for none.
        new_people: whether detection may add people; without it, it only takes up lost ones.
    """

    detect_every: int = 30
    search_every: int = 5
    keep_lost_s: float = 2.0
    min_score: float = 0.05
    patience: int = 5
    unconfirmed: int = 5
    max_mouths: int | None = None
    smooth: OneEuroParams | None = field(default_factory=OneEuroParams)
    new_people: bool = True

    def __post_init__(self) -> None:
        if min(self.detect_every, self.search_every, self.patience, self.unconfirmed) < 1:
            raise ValueError("detect_every, search_every, patience and unconfirmed must be at least 1")
        if self.max_mouths is not None and self.max_mouths < 1:
            raise ValueError(f"max_mouths must be at least 1, not {self.max_mouths}")
