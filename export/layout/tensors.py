"""A graph of tf2onnx's, as passes ask of its tensors."""

from typing import Any

import numpy as np
from tf2onnx import utils


class Tensors:
    """Who gives and takes the tensors of one graph; the bodies of its loops are graphs of their own.

    Args:
        graph: tf2onnx's, as it is now: `nodes`, `producers`, `consumers` and `named` know nothing of what is made in it
            later.
    """

    def __init__(self, graph: Any):
        self.graph = graph
        self.nodes = list(graph.get_nodes())
        self.producers = {name: node for node in self.nodes for name in node.output}
        self.consumers: dict[str, list[Any]] = {}
        self.named = set(graph.outputs)  # tensors known outside by their names
        for node in self.nodes:
            self.named.update(node.get_implicit_inputs())
            for name in dict.fromkeys(node.input):
                self.consumers.setdefault(name, []).append(node)

    def rank(self, name: str) -> int | None:
        """Returns how many axes a tensor has, or None where that is not known."""
        shape = self.graph.get_shape(name)
        return None if shape is None else len(shape)

    def is_const(self, name: str) -> bool:
        """Returns whether a tensor is a constant."""
        node = self.graph.get_node_by_output(name)
        return node is not None and node.is_const()

    def value(self, node: Any, place: int) -> np.ndarray | None:
        """Returns a constant input, or None."""
        if len(node.input) <= place or not self.is_const(node.input[place]):
            return None
        return self.constant(node.input[place])

    def constant(self, name: str) -> np.ndarray:
        """Returns the value of a constant."""
        return self.graph.get_node_by_output(name).get_tensor_value(as_list=False)

    def put(self, node: Any, place: int, value: Any, dtype: Any) -> None:
        """Puts a new constant in the place of an input of a node."""
        self.graph.replace_input(node, node.input[place], self.const(value, dtype), place)

    def const(self, value: Any, dtype: Any = np.int64) -> str:
        """Returns a new constant."""
        return self.graph.make_const(utils.make_name("layout"), np.array(value, dtype, order="C")).output[0]
