"""Short names for building ONNX nodes inside a tf2onnx graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from tf2onnx import utils
from tf2onnx.handler import tf_op

from export.errors import ExportError

_SHAPES_IN_PART = 15  # the opset from which on ONNX's Shape takes where to start and end
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


class Builder:
    """Builds the nodes that replace one TensorFlow node.

    Args:
        graph: tf2onnx's graph.
        node: The node to replace; it is removed when `replace` is called.
    """

    def __init__(self, graph: Any, node: Any):
        self.graph, self.node = graph, node
        self.inputs = list(node.input)
        self._constants: dict[tuple, str] = {}

    def constant(self, values: Any, dtype: Any) -> str:
        """Returns the name of a constant tensor, the same one for the same values."""
        array = np.array(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            made = self.graph.make_const(utils.make_name(f"{self.node.name}_const"), array)
            self._constants[key] = made.output[0]
        return self._constants[key]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the first output."""
        return np.dtype(utils.map_onnx_to_numpy_type(self.node.output_dtypes[0]))

    def number(self, value: float) -> str:
        """Returns the name of a constant scalar of the first output's dtype."""
        return self.constant(value, self.dtype)

    def vector(self, *values: int) -> str:
        """Returns the name of a constant vector of int64."""
        return self.constant(list(values), np.int64)

    def op(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Adds an ONNX node with one output and returns the output's name.

        Raises:
            ExportError: At this opset the op lacks an attribute, which tf2onnx would leave out without a word.
        """
        for name in attributes if onnx.defs.has(op) else ():
            if not _has_attribute(op, name, self.graph.opset):
                newer = range(self.graph.opset + 1, onnx.defs.onnx_opset_version() + 1)
                able = [f"; opset {opset} does" for opset in newer if _has_attribute(op, name, opset)] or [""]
                raise ExportError(f"{self.node.name}: ONNX's {op} has no {name} at this opset{able[0]}.")
        return self.graph.make_node(op, list(inputs), attr=attributes).output[0]

    def sizes_of(self, value: str, start: int = 0, end: int | None = None) -> str:
        """Returns the sizes of the axes of a value from `start` on and before `end`, int64 [axes]."""
        if self.graph.opset >= _SHAPES_IN_PART:
            return self.op("Shape", value, start=start, **({} if end is None else {"end": end}))
        bounds = self.vector(start), self.vector(np.iinfo(np.int64).max if end is None else end)
        return self.op("Slice", self.op("Shape", value), *bounds, self.vector(0))

    def transposed(self, value: str, order: Sequence[int]) -> str:
        """Returns a value with its axes in another order; the value itself where that is the order they have."""
        return value if list(order) == sorted(order) else self.op("Transpose", value, perm=list(order))

    def choose(self, comparison: str, value: str, bound: float, chosen: str, other: str) -> str:
        """Returns `chosen` where the comparison of a value with a bound holds, else `other`."""
        return self.op("Where", self.op(comparison, value, self.number(bound)), chosen, other)

    def polynomial(self, value: str, coefficients: Sequence[float]) -> str:
        """Returns the sum of coefficients times powers of a value, of which the first is 1, by Horner's rule."""
        *rest, total = (self.number(coefficient) for coefficient in coefficients)
        for coefficient in reversed(rest):
            total = self.op("Add", self.op("Mul", total, value), coefficient)
        return total

    def cast(self, value: str, dtype: int) -> str:
        """Converts to an ONNX element type."""
        return self.op("Cast", value, to=dtype)

    def replace(self, *values: str) -> None:
        """Puts the values in the place of the node's outputs, with their names, shapes and dtypes."""
        outputs, shapes, dtypes = list(self.node.output), self.node.output_shapes, self.node.output_dtypes
        self.graph.remove_node(self.node.name)
        for value, output, shape, dtype in zip(values, outputs, shapes, dtypes, strict=True):
            self.graph.make_node("Identity", [value], outputs=[output], shapes=[shape], dtypes=[dtype])


def as_tf2onnx(graph: Any, node: Any) -> None:
    """Converts a node as tf2onnx does where there is no handler here."""
    versions = tf_op.get_opsets()[""][: graph.opset + 1]
    convert, options = next(version[node.type] for version in reversed(versions) if node.type in version)
    node.type = options.get("onnx_op", node.type)
    convert(graph, node, **options)


def _has_attribute(op: str, name: str, opset: int) -> bool:
    """Returns whether an ONNX op has an attribute at an opset."""
    return name in onnx.defs.get_schema(op, max_inclusive_version=opset).attributes
