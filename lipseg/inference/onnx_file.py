"""What an ONNX file asks of the machine, before ONNX Runtime does it: a model may come from a stranger.

An ONNX file is a protobuf message. Of its fields only those are looked at by which a network would read other files,
run other code, or run for ever; everything else is ONNX Runtime's to check.
"""

from collections.abc import Iterator

# Field numbers of onnx.proto: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_GRAPH, _FUNCTIONS = 7, 25  # of ModelProto
_NODE, _INITIALIZER, _SPARSE = 1, 5, 15  # of GraphProto
_OP, _ATTRIBUTE, _DOMAIN = 4, 5, 7  # of NodeProto
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS = 5, 6, 10, 11  # of AttributeProto
_EXTERNAL, _LOCATION = 13, 14  # of TensorProto

_STANDARD = (b"", b"ai.onnx")


class UnusualNetworkError(Exception):
    """The file asks for what no network of lipseg needs; the message, without a subject, says what."""


def check_onnx(content: bytes) -> None:
    """Refuses an ONNX file that names other files, custom operators, functions, loops or branches.

    Args:
        content: of the file.

    Raises:
        UnusualNetworkError: saying what it asks for, or that it is no protobuf message, without a subject.
    """
    try:
        for field, value in _fields(memoryview(content)):
            if field == _FUNCTIONS:
                raise UnusualNetworkError("defines functions, as no network of lipseg does")
            if field == _GRAPH:
                _check_graph(_message(value))
    except (IndexError, TypeError) as error:
        raise UnusualNetworkError("is no ONNX file, or cut off") from error


def _check_graph(graph: memoryview) -> None:
    for field, value in _fields(graph):
        if field == _NODE:
            _check_node(_message(value))
        elif field == _INITIALIZER:
            _check_tensor(_message(value))
        elif field == _SPARSE:
            raise UnusualNetworkError("holds sparse weights, as no network of lipseg does")


def _check_node(node: memoryview) -> None:
    parts = list(_fields(node))
    op = b"".join(bytes(_message(value)) for field, value in parts if field == _OP).decode("utf-8", "replace")
    for field, value in parts:
        if field == _DOMAIN and bytes(_message(value)) not in _STANDARD:
            raise UnusualNetworkError(f"has the custom operator {op[:40]!r}, which lipseg does not know")
        if field == _ATTRIBUTE:
            for inner, content in _fields(_message(value)):
                if inner in (_SUBGRAPH, _SUBGRAPHS):
                    raise UnusualNetworkError(
                        f"has a loop or a branch, the operator {op[:40]!r}, as no network of lipseg does"
                    )
                if inner in (_TENSOR, _TENSORS):
                    _check_tensor(_message(content))


def _check_tensor(tensor: memoryview) -> None:
    for field, value in _fields(tensor):
        if field == _EXTERNAL or (field == _LOCATION and value != 0):
            raise UnusualNetworkError("names another file that holds its weights, and only the folder's own are read")


def _fields(message: memoryview) -> "Iterator[tuple[int, int | memoryview]]":
    """Yields number and value of each field of a protobuf message: a number, or the bytes of anything longer.

    Raises:
        IndexError: if the message ends in a field, or holds one of no known kind.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise IndexError(f"kind {kind}")
        if at + length > end:
            raise IndexError("cut off")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Returns the number at a place, seven bits a byte, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise IndexError("a number without an end")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where a message belongs")
    return value
