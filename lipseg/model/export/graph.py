"""Writes ONNX graphs node by node. Needs onnx and NumPy alone."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

# Old on purpose: every ONNX Runtime since 1.12 (May 2022), onnxruntime-web included, reads these.
OPSET, IR_VERSION = 17, 8
# The first axis of every input and output: the number of views.
BATCH = "N"

Tensor = str  # a tensor is known by its name


class Graph:
    """A graph in the making: every call adds a node, ``proto`` gives the finished model.

    The same network always gives the same bytes.

    Args:
        name: of the graph.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: Any, *shape: int) -> Tensor:
        """Returns the input of this name, of shape (N, *shape)."""
        self._inputs.append(_value(name, dtype, shape))
        return name

    def output(self, name: str, tensor: Tensor, dtype: Any, *shape: int) -> None:
        """Makes a node's output of shape (N, *shape) an output of the graph by this name; for good, once a tensor."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if x == tensor else x for x in names]
        self._outputs.append(_value(name, dtype, shape))

    def constant(self, array: Any, name: str | None = None) -> Tensor:
        """Returns an array as a tensor; 64-bit floats become 32-bit ones."""
        array = np.asarray(array)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = name or f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def __call__(self, op: str, *inputs: Tensor | NDArray[Any] | float, **attributes: Any) -> Tensor:
        """Returns the output of a new node.

        Args:
            op: an operator of ONNX.
            inputs: tensors, or arrays and numbers, which become constants.
            attributes: of the operator.
        """
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        out = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, names, [out], name=f"{op}_{len(self._nodes)}", **attributes))
        return out

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        """Returns ``x`` in another shape; 0 keeps an axis, -1 is the rest."""
        return self("Reshape", x, np.array(shape))

    def columns(self, x: Tensor, start: int, stop: int, axis: int = 1) -> Tensor:
        """Returns ``x[:, start:stop]``, or likewise along another axis."""
        return self("Slice", x, *(np.array([i]) for i in (start, stop, axis)))

    def falling(self, x: Tensor, count: int) -> Tensor:
        """Returns the ``count`` largest values of (N, n) along the rows, the largest first."""
        out = f"t{len(self._nodes)}"
        k = self.constant(np.array([count]))
        self._nodes.append(helper.make_node("TopK", [x, k], [out, f"{out}_at"], name=f"TopK_{len(self._nodes)}"))
        return out

    def proto(self) -> onnx.ModelProto:
        """Returns the model, checked.

        Raises:
            onnx.checker.ValidationError: if a node does not fit its operator or its inputs.
        """
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="lipseg")
        onnx.checker.check_model(model, full_check=True)
        return model


def _value(name: str, dtype: Any, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), [BATCH, *shape])
