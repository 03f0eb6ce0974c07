"""Networks in ONNX Runtime."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipseg.errors import DataError, ModelError, in_brief
from lipseg.inference.card import check_network_size
from lipseg.inference.onnx_file import UnusualNetworkError, check_onnx

# Views that go through a network at once; more take no less time each, and more memory.
_CHUNK = 32
# Bytes that networks may take for weights and what they compute: a few bytes of a file can ask for any amount.
_MOST_MEMORY = 512 << 20

# (N, S, S, 3) uint8 RGB views to the outputs in the order in which they were asked for, each (N, ...).
Network = Callable[[NDArray[np.uint8]], list[NDArray[Any]]]


def load_network(path: Path, outputs: tuple[str, ...], size: int) -> Network:
    """Returns the network of a file, whatever its content; see ``open_network``.

    Raises:
        ModelError: if the file cannot be read or is no such network.
    """
    try:
        check_network_size(path, path.stat().st_size)
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); get it again") from error
    return open_network(content, outputs, size, path)


def open_network(
    content: bytes,
    outputs: tuple[str, ...],
    size: int,
    origin: Path,
    threads: int = 1,
    check: Callable[[list[NDArray[Any]]], None] = lambda found: None,
) -> Network:
    """Returns a network ready to run on the CPU, after it has run once on a black view.

    Later runs raise a ``ModelError`` too where ONNX Runtime fails.

    Args:
        content: of an ONNX file; from memory, so that it can name no other file to be read.
        outputs: names of the outputs that are wanted.
        size: pixels a side of the views that it takes.
        origin: the file, for messages.
        threads: of ONNX Runtime; views are small, and more than one gain little.
        check: refuses the outputs for the black view, each (1, ...), by raising.

    Raises:
        DataError: if ``threads`` is not a whole number of at least 1.
        ModelError: if it is no such network.
    """
    import onnxruntime

    check_threads(threads)
    try:
        check_onnx(content)
    except UnusualNetworkError as error:
        raise ModelError(f"{origin}: {error}; get the folder again") from error
    options = session_options()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # A thread that waits for work must not keep a core busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    try:
        # Without its fallback, which prints to standard output.
        session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
        # Names that are no text are found when they are asked for.
        takes = [(given.name, given.type, given.shape) for given in session.get_inputs()]
        there = {output.name for output in session.get_outputs()}
    except Exception as error:  # ONNX Runtime has an exception type of its own for each of its codes
        raise ModelError(
            f"{origin}: ONNX Runtime cannot load it ({in_brief(error, 300)}); get the folder again"
        ) from error
    name, kind, shape = takes[0] if len(takes) == 1 else ("", "", [])
    if kind != "tensor(uint8)" or list(shape[1:]) != [size, size, 3]:
        raise ModelError(f"{origin}: does not take views of {size} x {size} pixels alone; get the folder again")
    if isinstance(shape[0], int):
        raise ModelError(f"{origin}: takes {shape[0]} views at a time, not any number; get the folder again")
    if missing := [output for output in outputs if output not in there]:
        raise ModelError(f"{origin}: has no output {missing[0]!r}; get the folder again")
    wanted = list(outputs)

    def run_once(views: NDArray[np.uint8]) -> list[NDArray[Any]]:
        try:
            return session.run(wanted, {name: views})  # type: ignore[return-value]
        except Exception as error:
            raise ModelError(
                f"{origin}: ONNX Runtime cannot run it ({in_brief(error, 300)}); get the folder again"
            ) from error

    check(run_once(np.zeros((1, size, size, 3), np.uint8)))

    def run(views: NDArray[np.uint8]) -> list[NDArray[Any]]:
        if len(views) <= _CHUNK:
            return run_once(views)
        parts = [run_once(views[at : at + _CHUNK]) for at in range(0, len(views), _CHUNK)]
        return [np.concatenate(columns) for columns in zip(*parts, strict=True)]

    return run


def session_options() -> Any:
    """Returns options of ONNX Runtime by which all networks together get ``_MOST_MEMORY`` bytes at most."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if _memory_is_limited():
        options.add_session_config_entry("session.use_env_allocators", "1")
    return options


@cache
def _memory_is_limited() -> bool:
    """Makes the memory that sessions may share; whether it could be made: others in this process may have their own."""
    import onnxruntime as ort

    arena = ort.OrtArenaCfg({"max_mem": _MOST_MEMORY, "arena_extend_strategy": 1})
    where = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    try:
        ort.create_and_register_allocator(where, arena)
    except Exception:  # ONNX Runtime has an exception type of its own for each of its codes
        return False
    return True


def check_threads(threads: int) -> None:
    """Refuses a number of threads that is not a whole number of at least 1.

    Raises:
        DataError: naming the number.
    """
    if not isinstance(threads, int) or threads < 1:
        raise DataError(f"threads: must be at least 1, not {threads!r}")
