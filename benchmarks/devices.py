"""Training steps on several devices: milliseconds a step, what a batch costs to draw, and the loss curves.

    python -m benchmarks.devices                      # all devices that JAX sees
    python -m benchmarks.devices --simulate 1 2 4     # the CPU in so many parts, one process each
    python -m benchmarks.devices --simulate 1 2 4 --epochs 4

trains the base network of --params on faces drawn by formula. "A step" is of batches that lie on the devices already,
"a batch" is drawn by one thread of the host; of the two, the slower one bounds the training. The share of the peak is
the step's floating-point operations, as XLA counts them, over its time and --peak, or else over what a large product of
matrices reaches on the same devices. With --epochs the network is also trained, and its curve compared with the first.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lipseg.errors import LipsegError
from lipseg.params import Params, load_params

_FACES = 96
_SIDE = 2048  # of the matrices
_FIGURES = ("loss", "landmark", "mask", "map", "train_nme", "validation_error")


def measured(params: Params, folder: Path, steps: int, epochs: int) -> dict[str, Any]:
    """Returns the figures of this process's devices, and the history of a training of so many epochs."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from flax import nnx

    from lipseg.data.augment import views_on_boxes
    from lipseg.data.crops import make_crops
    from lipseg.data.statistics import fit_normaliser
    from lipseg.data.synthesize import write_dataset
    from lipseg.model.nets import build_net
    from lipseg.model.offsets import SourceOffsets, annotated_radius
    from lipseg.training import devices, fit
    from lipseg.training.checkpoint import Checkpoint
    from lipseg.training.optim import base_optimiser

    write_dataset(folder / "faces", train=_FACES, test=8, size=params.synthesize.image_size, seed=0, workers=0)
    data = replace(params.data, source="synthetic", root=str(folder / "faces"))
    crops, view, train = make_crops(folder / "crops", data, params.crop, 0), params.view.geometry(), params.train_base
    seen = views_on_boxes(crops, crops.indices("train"), None, view).images
    normaliser, _ = fit_normaliser(seen, params.statistics.per)

    spread = devices.Spread(train.batch_size, "train_base.batch_size")
    graph, weights, stats = nnx.split(build_net(params.net, 0), nnx.Param, nnx.BatchStat)
    offsets = SourceOffsets(crops.sources)
    trained = {"net": weights, "offsets": offsets.start()}
    optimiser = base_optimiser(train, 1000)
    step, _ = fit._make_steps(graph, optimiser, train, normaliser, offsets, spread)
    start = fit.TrainState(trained, stats, optimiser.init(trained), trained, stats, jnp.zeros((), jnp.int32))
    state = spread.everywhere(start)

    faces, radius = np.resize(crops.indices("train"), (steps + 1) * train.batch_size), annotated_radius(crops)
    nothing = np.zeros((len(crops), 2, 112), np.float32)
    maps = view.size // 2 if params.net.kind == "hourglass" else 1
    rng = np.random.default_rng(0)
    drawn = fit._batches(crops, faces, view, params.augment, train, maps, radius, nothing, rng, spread)
    batches, drawing = [next(drawn)], []
    for _ in range(steps):
        began = time.perf_counter()
        batches.append(next(drawn))
        drawing.append(time.perf_counter() - began)

    compiled = step.lower(state, batches[0]).compile()
    counted = compiled.cost_analysis() or {}
    stepping = []
    for batch in batches:
        began = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, batch))
        stepping.append(time.perf_counter() - began)
    square = spread.split(np.ones((spread.devices, _SIDE, _SIDE), np.float32))
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(square, square))
    began = time.perf_counter()
    jax.block_until_ready(product(square, square))
    rate = 2 * spread.devices * _SIDE**3 / (time.perf_counter() - began)

    history: list[dict[str, float]] = []
    if epochs:
        history = fit.fit_base(
            crops,
            normaliser,
            net_params=params.net,
            view=view,
            augment=params.augment,
            train=replace(train, epochs=epochs),
            seed=0,
            checkpoint=Checkpoint("devices", "key", folder),
            name="devices",
        ).history
    return {
        "kind": jax.devices()[0].device_kind,
        "devices": spread.devices,
        "rows": train.batch_size,
        "step": statistics.median(stepping[1:]),
        "batch": statistics.median(drawing),
        # XLA counts those of one device's part.
        "operations": float(counted.get("flops", 0)) * spread.devices,
        "rate": rate,
        "history": history,
    }


def table(found: list[dict[str, Any]], peak: float | None) -> str:
    """Returns the figures as a Markdown table; ``peak`` in operations a second of one device."""
    against = "a large product" if peak is None else "the peak"
    lines = [
        f"| devices | ms a step | ms a batch of the host | GFLOP a step | share of {against} |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in found:
        most = one["rate"] if peak is None else peak * one["devices"]
        share = one["operations"] / one["step"] / most
        lines.append(
            f"| {one['devices']} x {one['kind']} | {1000 * one['step']:.1f} | {1000 * one['batch']:.1f} "
            f"| {one['operations'] / 1e9:.2f} | {100 * share:.0f} % |"
        )
    return "\n".join(lines)


def drift(found: list[dict[str, Any]]) -> str:
    """Returns, for every epoch, the first curve's loss and by how much the others' figures differ from it at most."""
    first = found[0]["history"]
    lines = ["| epoch | loss | " + " | ".join(f"{one['devices']} devices off by" for one in found[1:]) + " |"]
    lines.append("| --- " * (len(found) + 1) + "|")
    for epoch, row in enumerate(first):
        off = [
            max(abs(one["history"][epoch][name] / row[name] - 1) for name in _FIGURES if row[name]) for one in found[1:]
        ]
        lines.append(f"| {epoch} | {row['loss']:.4f} | " + " | ".join(f"{100 * value:.3f} %" for value in off) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--simulate", type=int, nargs="+", default=[], help="numbers of devices, parts of the CPU")
    parser.add_argument("--steps", type=int, default=20, help="that are timed")
    parser.add_argument("--epochs", type=int, default=0, help="of training, to compare the curves; 0 = none")
    parser.add_argument("--optimiser", choices=("muon", "adamw"), help="another than the parameters'")
    parser.add_argument("--peak", type=float, help="TFLOP/s of one device, as its maker gives them")
    parser.add_argument("--json", action="store_true", help="print the figures alone")
    given = parser.parse_args()
    found = []
    for count in given.simulate:
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
        words = [f"--{name}={getattr(given, name)}" for name in ("params", "steps", "epochs")]
        words += [f"--optimiser={given.optimiser}"] if given.optimiser else []
        env = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
        command = [sys.executable, "-m", "benchmarks.devices", "--json", *words]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        found.append(json.loads(done.stdout))
    if not found:
        try:
            params = load_params(given.params)
            train = replace(params.train_base, optimiser=given.optimiser or params.train_base.optimiser)
            params = replace(params, train_base=train)
            with tempfile.TemporaryDirectory() as folder:
                found.append(measured(params, Path(folder), given.steps, given.epochs))
        except LipsegError as error:
            sys.exit(f"error: {error}")
    if given.json:
        print(json.dumps(found[0]))
        return
    print(table(found, None if given.peak is None else 1e12 * given.peak))
    if given.epochs and len(found) > 1:
        print("\n" + drift(found))


if __name__ == "__main__":
    main()
