"""Where each source's annotators put the landmarks, against where the first source's did.

Every source of annotations is an instrument with an offset of its own: on one and the same face, Helen's contours lie
some pixels to the right of and below those that CelebAMask-HQ's masks have. A network that learns from both as they are
answers with something in between. So the offsets are learnt with the network's weights, and the network answers as the
first source's annotators would, which is the reference.

Annotations of mirrored pictures have offsets of their own: annotators are not symmetrical, so the landmarks of a
mirrored picture differ from those of a picture that looks the same but is none.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from lipseg import scheme
from lipseg.data.crop_set import CropSet
from lipseg.model.nets import place

Array = jax.Array
# Source -> part -> array, see ``SourceOffsets.start``.
Tree = dict[str, dict[str, Any]]

_SIZE = 2 * scheme.N_POINTS
# So many pixels are the unit of ``pixels``: an optimiser's steps are of one size, whatever is learnt.
_PIXELS = 30.0


@dataclass(frozen=True)
class SourceOffsets:
    """The sources of a training set, the reference first; the offsets themselves are a tree of arrays.

    Attributes:
        sources: their names.
    """

    sources: tuple[str, ...]

    def start(self) -> Tree:
        """Returns the offsets before anything was learnt: zeros.

        Returns:
            for each source, in the mouth's frame (``nets.similarity_frame``): ``mirrored`` (112,) of mirrored views,
            and but for the reference ``plain`` (112,) of the others and ``pixels`` (2,), to the right and down, of
            either kind, in units of 30 pixels of the picture that was annotated. All have one axis: no optimiser takes
            them for matrices.
        """
        tree: Tree = {}
        for i, source in enumerate(self.sources):
            tree[source] = {"mirrored": jnp.zeros(_SIZE)}
            if i > 0:
                tree[source] |= {"plain": jnp.zeros(_SIZE), "pixels": jnp.zeros(2)}
        return tree

    def of(self, tree: Tree, source: Any, mirrored: Any, radius_px: Any) -> Array:
        """Returns (B, 112) what each face's landmarks have too much, in the mouth's frame.

        Args:
            tree: the offsets.
            source: (B,) which of the sources, int.
            mirrored: (B,) whether the view shows its face mirrored, bool.
            radius_px: (B,) RMS radius of the landmarks in pixels of the picture that was annotated.
        """
        none = jnp.zeros(_SIZE)
        table = jnp.stack([jnp.stack([tree[s].get("plain", none), tree[s]["mirrored"]]) for s in self.sources])
        pixels = (
            jnp.stack([tree[s].get("pixels", none[:2]) for s in self.sources])[source] * _PIXELS / radius_px[:, None]
        )
        side = jnp.where(mirrored, -1.0, 1.0)[:, None] * jnp.array([1.0, 0.0]) + jnp.array([0.0, 1.0])
        shift = jnp.tile(pixels * side, (1, scheme.N_POINTS))
        return table[source, mirrored.astype(jnp.int32)] + shift


def without_offset(points: Array, offset: Array, frame: Array) -> Array:
    """Returns landmarks (B, 56, 2) as the reference's annotators would have given them, in unit coordinates.

    Args:
        points: (B, 56, 2) landmarks in unit coordinates, of mirrored views as ``lipseg.scheme.retrace`` has them.
        offset: (B, 112) of ``SourceOffsets.of``.
        frame: (B, 4) as in ``nets.Encoded``.
    """
    return points - (place(frame, offset) - frame[:, None, :2])


def annotated_radius(crops: CropSet) -> NDArray[np.float32]:
    """Returns (N,) the RMS radius of every face's landmarks, in pixels of the picture that was annotated."""
    centred = crops.points_px - crops.points_px.mean(1, keepdims=True)
    return (np.sqrt((centred**2).sum(-1).mean(1)) / crops.scale).astype(np.float32)
