"""A pass for what TensorFlow writes at length, as it does not know the size of a batch, and for what loops hand on."""

from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from tf2onnx import utils
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

_FOLDED = frozenset(["Cast", "Reshape", "Squeeze", "Transpose", "Unsqueeze"])


class Simplification(GraphOptimizerBase):
    """The pass, as tf2onnx runs them."""

    def _optimize(self, graph: Any) -> Any:
        return self._apply_optimization(graph, self._simplify)

    def _simplify(self, graph: Any) -> Any:
        for node in [node for node in graph.get_nodes() if node.type == "Loop"]:
            self.graph_been_opt |= _take_out_invariants(graph, node)
        for node in list(graph.get_nodes()):
            if node.type == "Slice":
                _infer_shape(graph, node)
        for node in list(graph.get_nodes()):
            if node.type == "Reshape" and _is_repetition(graph, node):
                _make_resize(graph, node)
            elif node.type == "Reshape" and _keeps_shape(graph, node):
                _replace(graph, node, "Identity", [node.input[0]])
            elif node.type == "Reshape" and _has_known_shape(graph, node):
                graph.replace_input(node, node.input[1], _const(graph, graph.get_shape(node.output[0])), 1)
            elif node.type in _FOLDED and _is_captured_constant(graph, node):
                _fold(graph, node)
            else:
                continue
            self.graph_been_opt = True
        graph.topological_sort(graph.get_nodes())
        return graph


def _take_out_invariants(graph: Any, loop: Any) -> bool:
    """Makes a loop's body see what it only hands on, as weights are, where that is outside; returns whether there was.

    TensorFlow's loops hand on all that they use. As constants, weights need no transposing in each turn.
    """
    body = loop.get_body_graphs()["body"]
    kept, taken_out = [], {}
    for place, placeholder in enumerate(body.inputs[2:]):
        source, name = placeholder.output[0], body.outputs[place + 1]
        while name != source and (node := body.get_node_by_output_in_current_graph(name)).type == "Identity":
            name = node.input[0]
        if name == source and loop.output[place] not in graph.outputs:
            taken_out[place] = placeholder
        else:
            kept.append(place)
    if not taken_out:
        return False
    scanned = range(len(body.inputs) - 2, len(loop.output))
    outputs, shapes, dtypes = list(loop.output), loop.output_shapes, loop.output_dtypes
    inputs = list(loop.input)
    body.outputs[:] = [body.outputs[0], *(body.outputs[place + 1] for place in (*kept, *scanned))]
    graph.remove_node(loop.name)
    for place, placeholder in taken_out.items():
        body.replace_all_inputs(placeholder.output[0], inputs[place + 2])
        body.remove_node(placeholder.name)
        graph.replace_all_inputs(outputs[place], inputs[place + 2])
    graph.make_node(
        "Loop",
        [*inputs[:2], *(inputs[place + 2] for place in kept)],
        name=loop.name,
        outputs=[outputs[place] for place in (*kept, *scanned)],
        shapes=[shapes[place] for place in (*kept, *scanned)],
        dtypes=[dtypes[place] for place in (*kept, *scanned)],
        branches={"body": body},
    )
    return True


def _infer_shape(graph: Any, node: Any) -> None:
    """Says what shape a part has that is as large as another tensor, as gradients of concatenations are."""
    known, rank = graph.get_shape(node.output[0]), graph.get_rank(node.input[0])
    if known is None or known.count(-1) <= 1 or len(node.input) > 4:
        return  # known well enough, or not of steps of 1
    start, end = (_without_casts(graph, name) for name in node.input[1:3])
    if end is None or end.type != "Add":
        return
    terms = [_size(graph, name) for name in end.input]
    sizes = [term for term in terms if term is not None and not _is_same(term, start)]
    if len(sizes) == 1 and len(sizes) < len(terms) and sizes[0].type == "Shape":  # the end is the start and the size
        shape = graph.get_shape(sizes[0].input[0])
        if shape is not None and len(shape) == rank:
            graph.set_shape(node.output[0], shape)


def _size(graph: Any, name: str) -> Any:
    """Returns the node that gives a size, or a term of one.

    tf2onnx adds a large number where a size is -1, which means all that is left, and that a shape never is.
    """
    node = _without_casts(graph, name)
    if node is not None and node.type == "Add":
        size, more = (_without_casts(graph, each) for each in node.input)
        if size is not None and size.type == "Shape" and more is not None and more.type == "Mul":
            tests = [_without_casts(graph, each) for each in more.input]
            compared = [name for test in tests if test is not None and test.type == "Equal" for name in test.input]
            if any(_without_casts(graph, name) is size for name in compared):
                return size
    return node


def _is_same(first: Any, second: Any) -> bool:
    """Returns whether two nodes are one, or equal constants."""
    if first is second or second is None:
        return first is second
    return first.is_const() and second.is_const() and first.get_tensor_value() == second.get_tensor_value()


def _without_casts(graph: Any, name: str) -> Any:
    """Returns the node that gives a tensor, but for its type."""
    node = graph.get_node_by_output(name)
    while node is not None and node.type in ("Cast", "Identity"):
        node = graph.get_node_by_output(node.input[0])
    return node


def _keeps_shape(graph: Any, node: Any) -> bool:
    """Returns whether a Reshape changes nothing: with all sizes but one equal, so is the last, as numbers stay as many.

    Gradients of sums with something of another shape end so.
    """
    before, after = graph.get_shape(node.input[0]), graph.get_shape(node.output[0])
    return before is not None and before == after and before.count(-1) <= 1


def _has_known_shape(graph: Any, node: Any) -> bool:
    """Returns whether a Reshape works out a shape that is known but for one size, which -1 stands for."""
    shape, given = graph.get_shape(node.output[0]), graph.get_node_by_output(node.input[1])
    return bool(shape) and shape.count(-1) <= 1 and 0 not in shape and given is not None and not given.is_const()


def _const(graph: Any, value: list[int]) -> str:
    return graph.make_const(utils.make_name("shape"), np.array(value, np.int64)).output[0]


def _is_repetition(graph: Any, node: Any) -> bool:
    """Returns whether a Reshape ends what repeats rows or columns of images: Unsqueeze, Tile, Reshape."""
    tile = graph.get_node_by_output(node.input[0], search_in_parent_graphs=False)
    if tile is None or tile.type != "Tile" or graph.get_dtype(node.output[0]) != TensorProto.FLOAT:
        return False  # ONNX Runtime resizes no float64
    unsqueeze = graph.get_node_by_output(tile.input[0], search_in_parent_graphs=False)
    if unsqueeze is None or unsqueeze.type != "Unsqueeze" or not graph.get_node_by_output(tile.input[1]).is_const():
        return False
    axis, times = _times(graph, node, unsqueeze.input[0], graph.get_shape(tile.input[0])) or (0, 0)
    return graph.get_tensor_value(tile.input[1]) == [times if each == axis + 1 else 1 for each in range(5)]


def _times(graph: Any, node: Any, source: str, longer: list[int] | None) -> tuple[int, int] | None:
    """Returns the axis that is repeated, and how often."""
    before, after = graph.get_shape(source), graph.get_shape(node.output[0])
    tiled = graph.get_shape(node.input[0])
    if None in (before, after, tiled, longer) or len(before) != 4 or len(after) != 4 or len(tiled) != 5:
        return None
    axes = [axis for axis in range(1, 4) if before[axis] != after[axis]]
    if len(axes) != 1 or -1 in before[1:] + after[1:]:
        return None
    (axis,) = axes
    times = after[axis] // before[axis]
    repeated = [*before[: axis + 1], times, *before[axis + 1 :]]
    once = [*before[: axis + 1], 1, *before[axis + 1 :]]
    return (axis, times) if tiled == repeated and longer == once else None


def _make_resize(graph: Any, node: Any) -> None:
    tile = graph.get_node_by_output(node.input[0])
    source = graph.get_node_by_output(tile.input[0]).input[0]
    axis, times = _times(graph, node, source, graph.get_shape(tile.input[0])) or (0, 1)
    scales = np.ones(4, np.float32)
    scales[axis] = times
    scales = graph.make_const(utils.make_name("scales"), scales).output[0]
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    _replace(graph, node, "Resize", [source, "", scales], attributes)


def _is_captured_constant(graph: Any, node: Any) -> bool:
    """Returns whether a node in the body of a loop computes the same, from constants outside, in each turn."""
    if graph.parent_graph is None or set(node.output) & set(graph.outputs):
        return False
    sources = [graph.get_node_by_output(name) for name in node.input]
    return all(source is not None and source.is_const() for source in sources)


def _fold(graph: Any, node: Any) -> None:
    values = [graph.get_node_by_output(name).get_tensor_value(as_list=False) for name in node.input]
    node.update_proto()
    (value,) = ReferenceEvaluator(node.op).run(None, dict(zip(node.input, values, strict=True)))
    name = node.output[0]
    graph.remove_node(node.name)
    graph.make_const(name, np.array(value, order="C"))


def _replace(graph: Any, node: Any, op: str, inputs: list[str], attributes: dict[str, Any] | None = None) -> None:
    """Puts another node in the place of one, for the same output."""
    outputs, shapes, dtypes = list(node.output), node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    graph.make_node(op, inputs, attributes, outputs=outputs, shapes=shapes, dtypes=dtypes)
