"""Training on several devices: data parallel, by ``jax.sharding``, over those of one process or of several.

Every device has all weights and a part of the rows of each batch. A compiled step is of the whole batch: means, batch
statistics and gradients are over all its rows, and XLA adds what the devices have to tell each other. So every number
of devices has the loss curve of one, but for the order in which float32 numbers are summed.

Batches are drawn on the host, which costs more than a step does on a fast device. Of P processes each draws every P-th
batch, whole and from the seed that it has anyway, and deals its rows out to all: the batches are those of one process.
"""

import atexit
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lipseg.errors import LipsegError, in_brief
from lipseg.prefetch import prefetch

_AXIS = "batch"
# Where srun and mpirun say how many processes they have started; JAX reads the rest.
_TASKS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")

_Tree = TypeVar("_Tree")


class Spread:
    """How batches of so many rows, and what is computed from them, lie on the devices.

    On one device all is left to JAX as it comes, so that the results have the bytes that they would have without this
    class. Of several as many are used as divide the rows, the same number in every process.

    Args:
        rows: of a batch, all devices together.
        key: the parameter that this number comes from, for messages.

    Attributes:
        devices: how many are used.

    Raises:
        LipsegError: if the rows cannot be divided among the processes.
    """

    def __init__(self, rows: int, key: str) -> None:
        own: dict[int, list[Any]] = {}
        for device in jax.devices():
            own.setdefault(device.process_index, []).append(device)
        fewest, processes = min(map(len, own.values())), len(own)
        if rows % processes:
            raise LipsegError(
                f"{key}: a batch of {rows} cannot be divided among {processes} processes; start another number of them"
            )
        each = max(n for n in range(1, fewest + 1) if rows % (n * processes) == 0)
        mesh = Mesh(np.array([device for devices in own.values() for device in devices[:each]]), (_AXIS,))
        self.devices, self._processes = mesh.size, processes
        self._rows, self._whole = NamedSharding(mesh, PartitionSpec(_AXIS)), NamedSharding(mesh, PartitionSpec())
        if each < fewest and leads():
            print(f"{key}: batches of {rows} use {self.devices} of {len(jax.devices())} devices", file=sys.stderr)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the function compiled, its results whole on every device."""
        return jax.jit(function) if self.devices == 1 else jax.jit(function, out_shardings=self._whole)

    def split(self, batch: _Tree) -> _Tree:
        """Returns arrays that every process has whole, their rows divided among the devices."""
        return self._laid(self._rows, batch)

    def everywhere(self, tree: _Tree) -> _Tree:
        """Returns arrays that every process has, whole on every device."""
        return self._laid(self._whole, tree)

    def here(self, tree: _Tree) -> _Tree:
        """Returns arrays that are whole on every device on the first of this process, for work of its own."""
        return tree if self.devices == 1 else jax.tree.map(lambda leaf: jax.numpy.asarray(np.asarray(leaf)), tree)

    def batches(self, make: Callable[[int], Any], count: int) -> Iterator[Any]:
        """Yields batches 0 to ``count`` - 1, their rows divided; a thread of its own prepares the next ones.

        Args:
            make: gives the batch of a number, a tree of arrays on the host, the same in every process. Each calls it
                for its share of the numbers alone.
            count: how many.
        """
        if self._processes == 1:
            yield from map(self.split, prefetch(make, range(count), 1))
            return
        deal = jax.jit(self._dealt, out_shardings=self._rows)
        firsts = range(0, count, self._processes)
        # In the last round some processes have nothing left to draw; what they draw instead is not used.
        mine = [min(first + jax.process_index(), count - 1) for first in firsts]
        for first, batch in zip(firsts, prefetch(make, mine, 1), strict=True):
            drawn = jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(self._rows, leaf), batch)
            yield from deal(drawn)[: count - first]

    def _dealt(self, drawn: Any) -> list[Any]:
        """Returns the batches of all processes, whose rows come one process after the other."""
        return [
            jax.tree.map(lambda leaf, k=k: leaf.reshape(self._processes, -1, *leaf.shape[1:])[k], drawn)
            for k in range(self._processes)
        ]

    def _laid(self, sharding: NamedSharding, tree: _Tree) -> _Tree:
        if self.devices == 1:
            return tree

        def laid(leaf: Any) -> jax.Array:
            whole = np.asarray(leaf)
            return jax.make_array_from_process_local_data(sharding, whole, whole.shape)

        return jax.tree.map(laid, tree)


def on_host() -> AbstractContextManager[Any]:
    """Makes JAX compute on the host's CPU: on a GPU what a batch needs would wait for the step that is under way."""
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:  # JAX_PLATFORMS leaves it out
        return nullcontext()


def leads() -> bool:
    """Whether this process is the first, which alone writes files and tells how far the work is."""
    return jax.process_index() == 0


def from_first(content: bytes) -> bytes:
    """Returns the first process's bytes in every process."""
    if jax.process_count() == 1:
        return content
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    padded = np.frombuffer(content if leads() else bytes(size), np.uint8)
    return multihost_utils.broadcast_one_to_all(padded).tobytes() if size else b""


def agree(key: str) -> None:
    """Checks that all processes are at the same piece of work.

    Args:
        key: what it is made from, as ``checkpoint.fingerprint`` gives it.

    Raises:
        LipsegError: in every process, if their keys differ.
    """
    if jax.process_count() == 1:
        return
    keys = multihost_utils.process_allgather(np.frombuffer(key.encode(), np.uint8))
    if (others := np.flatnonzero((keys != keys[0]).any(1))).size:
        raise LipsegError(
            f"process {others[0]} was given other data, parameters or code than process 0; give every process of a "
            "training the same"
        )


@contextmanager
def together() -> Iterator[None]:
    """Joins the processes of one training, where there are several, for the work of the block.

    They are found through the variables JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, or through those
    of Slurm's srun and Open MPI's mpirun. To be entered before anything is computed.

    A process that fails leaves at once, whatever the others do: they have lost it then, and fail too.

    Raises:
        LipsegError: if the processes cannot be joined, or another one is lost.
    """
    _join()
    try:
        yield
    except BaseException as error:
        if jax.distributed.is_initialized():
            atexit.register(_leave)
            if isinstance(error, jax.errors.JaxRuntimeError):
                raise LipsegError(
                    "another process of this training is lost, see what it says; start all of them again, the work "
                    f"goes on after the last whole epoch ({in_brief(error)})"
                ) from error
        raise


def _leave() -> None:
    """Ends this process. JAX would wait minutes for the others first, which wait for what this one does not send."""
    sys.stdout.flush()
    os._exit(1)


def _join() -> None:
    if jax.distributed.is_initialized():
        return
    try:
        if os.environ.get("JAX_COORDINATOR_ADDRESS"):
            count, index = (os.environ.get(name) for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID"))
            jax.distributed.initialize(
                num_processes=None if count is None else int(count), process_id=None if index is None else int(index)
            )
        elif any(int(os.environ.get(name, 1)) > 1 for name in _TASKS):
            jax.distributed.initialize()
    except (ValueError, RuntimeError) as error:
        raise LipsegError(
            "the processes of this training cannot be joined: JAX_COORDINATOR_ADDRESS (HOST:PORT of the first), "
            f"JAX_NUM_PROCESSES and JAX_PROCESS_ID (from 0) name them ({in_brief(error)})"
        ) from error
