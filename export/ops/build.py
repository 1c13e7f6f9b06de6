"""Short names for building ONNX nodes inside a tf2onnx graph."""

from typing import Any

import numpy as np
from tf2onnx import utils


class Builder:
    """Builds the nodes that replace one TensorFlow node.

    Args:
        graph: tf2onnx's graph.
        node: The node to replace; it is removed when `replace` is called.
    """

    def __init__(self, graph: Any, node: Any):
        self.graph, self.node = graph, node
        self.inputs = list(node.input)

    def constant(self, values: Any, dtype: Any) -> str:
        """Returns the name of a constant tensor."""
        return self.graph.make_const(utils.make_name(f"{self.node.name}_const"), np.array(values, dtype)).output[0]

    def op(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Adds an ONNX node with one output and returns the output's name."""
        return self.graph.make_node(op, list(inputs), attr=attributes).output[0]

    def cast(self, value: str, dtype: int) -> str:
        """Converts to an ONNX element type."""
        return self.op("Cast", value, to=dtype)

    def replace(self, *values: str) -> None:
        """Puts the values in the place of the node's outputs, with their names, shapes and dtypes."""
        outputs, shapes, dtypes = list(self.node.output), self.node.output_shapes, self.node.output_dtypes
        self.graph.remove_node(self.node.name)
        for value, output, shape, dtype in zip(values, outputs, shapes, dtypes, strict=True):
            self.graph.make_node("Identity", [value], outputs=[output], shapes=[shape], dtypes=[dtype])
