"""The deep cascade: base convolutions, the mixture that picks a head, K heads (Wu et al., arXiv 1511.04031)."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from lipseg.data.statistics import Normaliser
from lipseg.errors import ModelError
from lipseg.geometry import View
from lipseg.inference.runtime import LocatorConstants, Runtime
from lipseg.model.buckets import in_buckets
from lipseg.model.confidence import Confidence
from lipseg.model.evidence import gather_evidence
from lipseg.model.heads import change, readings
from lipseg.model.mixture import Mixture
from lipseg.model.nets import BaseNet, place
from lipseg.model.weights import Arrays

_BUCKETS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class CascadeOutput:
    """Landmarks (N, 56, 2), unit coordinates, of the base alone, of the cascade and of the control, and the rest.

    ``evidence`` is (N, E), see ``lipseg.model.evidence``.
    """

    base: NDArray[np.float32]
    cascade: NDArray[np.float32]
    control: NDArray[np.float32]
    responsibilities: NDArray[np.float32]
    score: NDArray[np.float32]
    evidence: NDArray[np.float32]


class Cascade:
    """A trained cascade in JAX: what is exported, and what the exported files are checked against.

    Args:
        net: the base network with its weights.
        heads: the K heads' arrays, stacked (K first), see ``lipseg.model.heads``.
        projection: of the sampled channels, see ``heads.readings``.
        mixture: picks the head.
        normaliser: of the views.
        view: the geometry of the views.
        control: the control head's arrays, or None.
        confidence: makes the score a probability; None leaves it the typicality of the features.

    Raises:
        ModelError: if the parts do not fit each other.
    """

    def __init__(
        self,
        net: BaseNet,
        heads: Arrays,
        projection: Arrays,
        mixture: Mixture,
        normaliser: Normaliser,
        view: View,
        control: Arrays | None = None,
        confidence: Confidence | None = None,
    ) -> None:
        k = mixture.components
        if any(len(array) != k for array in heads.values()):
            raise ModelError(
                f"the model has {k} mixture components but another number of heads; run `cluster` and `finetune` again"
            )
        if len(mixture.centre) != net.features:
            raise ModelError(f"the mixture wants {len(mixture.centre)} features, the network gives {net.features}")
        if normaliser.mean.shape not in ((3,), (view.size, view.size, 3)):
            raise ModelError(f"the statistics are of {normaliser.mean.shape}, the views of {view.size} pixels a side")
        self.net, self.heads, self.projection = net, heads, projection
        self.mixture, self.normaliser = mixture, normaliser
        self.view, self.control, self.confidence = view, control, confidence
        self._run = _compiled(net, heads, projection, control, mixture, normaliser, view, confidence)

    def runtime(self, locator: LocatorConstants | None = None) -> Runtime:
        """Returns the constants that inference needs beside the network, those of its locator among them."""
        return Runtime(self.view, self.mixture.components, locator)

    def outputs(self, views: NDArray[np.uint8]) -> CascadeOutput:
        """Returns the outputs of base, cascade and control for (N, size, size, 3) uint8 RGB views.

        Raises:
            ValueError: if the views have another shape or type.
        """
        size = self.view.size
        if views.ndim != 4 or views.shape[1:] != (size, size, 3) or views.dtype != np.uint8 or len(views) == 0:
            raise ValueError(f"views must be (N, {size}, {size}, 3) uint8 with N >= 1, not {views.shape} {views.dtype}")
        return CascadeOutput(*in_buckets(self._run, views, _BUCKETS))


def _compiled(
    net: BaseNet,
    heads: Arrays,
    projection: Arrays,
    control: Arrays | None,
    mixture: Mixture,
    normaliser: Normaliser,
    view: View,
    confidence: Confidence | None,
) -> Any:
    graph, state = nnx.split(net)
    arrays = Mixture(**{name: jnp.asarray(array) for name, array in mixture.arrays().items()})  # type: ignore[arg-type]

    @jax.jit
    def run(images: jax.Array) -> tuple[jax.Array, ...]:
        model = nnx.merge(graph, state)
        encoded = model.encode(normaliser(images), train=False)
        relative = model.head(encoded.features)
        base = place(encoded.frame, relative)
        seen = readings(encoded.features, encoded.sampled, projection, jnp)
        responsibilities, score = arrays.assign(encoded.features, jnp)
        chosen = responsibilities.argmax(1)
        picked = jnp.take_along_axis(change(seen, heads, jnp), chosen[:, None, None], axis=1)[:, 0]
        cascade = place(encoded.frame, relative + picked)
        deviance = arrays.deviance(encoded.features, jnp)
        # A stretched view is filled by the mouth whatever its size.
        evidence = gather_evidence(encoded, cascade, deviance, view.margin if view.shape == "square" else 1.0)
        if confidence is not None:
            score = confidence.score(evidence, jnp)
        if control is None:
            single = base
        else:
            alone = {name: array[None] for name, array in control.items()}
            single = place(encoded.frame, relative + change(seen, alone, jnp)[:, 0])
        return base, cascade, single, responsibilities, score, evidence

    return run
