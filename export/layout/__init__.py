"""A pass that takes transposes out of chains of convolutions.

TensorFlow keeps channels last and ONNX keeps them second, so that a converted convolution stands between two
transposes. tf2onnx's own pass moves them through many ops, but stops where two tensors that are not constant meet, at
attention, and in most gradients.

Here tensors of four axes are grouped: in a group are those that ops connect which work in any order of axes, as sums or
concatenations do once their attributes speak of the other order. Where storing a whole group in another order leaves
fewer numbers to transpose at its border, that is done, until no group is better off.
"""

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

from export.layout.groups import Orders
from export.layout.permutations import RANK, SAME, permutation, same_numbers

_MOVING = frozenset(("Conv", "ConvTranspose", "Transpose"))  # without one, there is nothing to gain


class Layout(GraphOptimizerBase):
    """The pass, as tf2onnx runs them."""

    def _optimize(self, graph: Any) -> Any:
        return self._apply_optimization(graph, self._improve)

    def _improve(self, graph: Any) -> Any:
        for name in graph.outputs if self.opt_iteration == 0 else ():
            _keep_by_identity(graph, name)
        for node in [node for node in graph.get_nodes() if node.type == "Transpose"]:
            _correct_shape(graph, node)
        graph.topological_sort(graph.get_nodes())
        while any(node.type in _MOVING for node in graph.get_nodes()) and Orders(graph).improve():
            self.graph_been_opt = True
            graph.delete_unused_nodes(graph.outputs)
            graph.topological_sort(graph.get_nodes())
        for node in [node for node in graph.get_nodes() if node.type == "Transpose"]:
            _without_moving(graph, node)
        return graph


def _keep_by_identity(graph: Any, name: str) -> None:
    """Lets an Identity give an image that is an output, so that the op before may give it in another order."""
    node = graph.get_node_by_output_in_current_graph(name)
    if node is None or len(node.output) != 1 or graph.get_rank(name) != RANK:
        return
    if node.type in ("Identity", "Loop", "If") or node.is_const() or node.is_graph_input():
        return
    inputs, attributes = list(node.input), node.get_onnx_attrs()
    shapes, dtypes, op = node.output_shapes, node.output_dtypes, node.type
    graph.remove_node(node.name)
    before = graph.make_node(op, inputs, attributes, shapes=shapes, dtypes=dtypes).output[0]
    graph.make_node("Identity", [before], outputs=[name], shapes=shapes, dtypes=dtypes)


def _correct_shape(graph: Any, node: Any) -> None:
    """Says what shape a transposed tensor has: tf2onnx's own pass leaves that of before where it takes axes away."""
    shape, order = graph.get_shape(node.input[0]), node.get_attr_value("perm")
    if shape is not None and order is not None:
        graph.set_shape(node.output[0], [shape[axis] for axis in order])


def _without_moving(graph: Any, node: Any) -> None:
    """Puts a Reshape, or an Identity, in the place of a Transpose that moves no number."""
    shape = graph.get_shape(node.input[0])
    if shape is None or len(shape) != RANK or shape.count(-1) > 1 or not same_numbers(shape, permutation(node)):
        return
    source, same = node.input[0], permutation(node) == SAME
    outputs, shapes, dtypes = list(node.output), node.output_shapes, node.output_dtypes
    new_shape = [shape[axis] for axis in permutation(node)]
    graph.remove_node(node.name)
    if same:
        graph.make_node("Identity", [source], outputs=outputs, shapes=shapes, dtypes=dtypes)
    else:
        constant = graph.make_const(utils.make_name("shape"), np.array(new_shape, np.int64)).output[0]
        graph.make_node("Reshape", [source, constant], outputs=outputs, shapes=[new_shape], dtypes=dtypes)
