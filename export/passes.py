"""Passes of tf2onnx that make a converted graph lean, without its copies.

`tf2onnx.optimizer.optimize_graph` copies the whole graph, bodies of loops and all, before each of dozens of passes, so
that it can go on from there where a pass fails: most of the time that an export took. Here a graph is changed in place,
and where a pass fails it is converted again and given to tf2onnx's own way.
"""

import collections
import functools
import warnings
from collections.abc import Callable
from typing import Any

from tf2onnx import utils
from tf2onnx.constants import NCDHW_TO_NDHWC, NCHW_TO_NHWC
from tf2onnx.optimizer import (
    BackToBackOptimizer,
    ConstFoldOptimizer,
    IdentityOptimizer,
    LoopOptimizer,
    MergeDuplicatedNodesOptimizer,
    ReshapeOptimizer,
    TransposeOptimizer,
    back_to_back_optimizer,
    optimize_graph,
)
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase
from tf2onnx.optimizer.transpose_optimizer import invert_perm

from export.folding import Folding
from export.layout import Layout
from export.simplification import Simplification


def optimized(graph: Any, again: Callable[[], Any]) -> Any:
    """Returns a graph of tf2onnx's, made lean.

    Args:
        graph: The graph, which is changed.
        again: Makes it again, where a pass fails.

    Warns:
        UserWarning: A pass fails, and the graph is as `plain` makes it.
    """
    _forget_wrong_shapes(graph)
    try:
        for passes in (_FIRST_PASSES, _PASSES, _LAST_PASSES):
            graph = _run(graph, list(passes.values()))
        return graph
    except Exception as error:  # whatever a pass of tf2onnx fails with
        message = f"A pass failed, so the graph is as tf2onnx leaves it: right, but larger and slower. {error!r}"
        warnings.warn(message, stacklevel=2)
        return plain(again())


def plain(graph: Any) -> Any:
    """Returns a graph of tf2onnx's as its own passes leave it, without those that fail."""
    return optimize_graph(graph, catch_errors=True, optimizers=_PASSES)


def _run(graph: Any, passes: list[type[GraphOptimizerBase]]) -> Any:
    """Runs passes until none finds anything to do.

    `GraphOptimizerBase.optimize` counts all nodes and writes them out around each pass, which takes longer than most.
    """
    iteration, changed = 0, True
    while changed:
        changed = False
        for each in passes:
            one = each()
            one.opt_iteration = iteration
            graph = one._optimize(graph)
            if one.graph_been_opt:
                graph.delete_unused_nodes(graph.outputs)
                changed = True
        iteration += 1
    graph.topological_sort(graph.get_nodes())
    return graph


def _forget_wrong_shapes(graph: Any) -> None:
    """Takes back what tf2onnx says of transposed convolutions of images of unknown sizes: it reckons with sizes of -1.

    The transposes behind them repeat it.
    """
    for node in graph.get_nodes():
        for body in (node.get_body_graphs() or {}).values():
            _forget_wrong_shapes(body)
        if node.type == "ConvTranspose" and -1 in (graph.get_shape(node.input[0]) or [])[2:]:
            _forget_sizes(graph, node)


def _forget_sizes(graph: Any, node: Any) -> None:
    """Takes back the sizes of the images that a node gives, channels first, and of what its transposes give."""
    known = graph.get_shape(node.output[0])
    free = [*known[:2], *[-1] * len(known[2:])]
    graph.set_shape(node.output[0], free)
    for user in graph.find_output_consumers(node.output[0]):
        if user.type == "Transpose":
            graph.set_shape(user.output[0], [free[axis] for axis in user.get_attr_value("perm")])


class _Transposes(TransposeOptimizer):
    """tf2onnx's, but for what it fails at, which is which node to change, and the shapes of squares.

    A single number that is added to a convolution is no bias. Axes of slices are a constant of their own. And a
    transpose outside of a loop, of what one node in the loop takes, would move behind that node, with new nodes outside
    that take what is inside; it moves inside itself, where it may meet another, as tf2onnx has it for transposes that
    several nodes take.
    """

    def _handle_nhwc_tranpose(self, trans: Any) -> bool:
        graph: Any = self._g
        users = graph.find_output_consumers(trans.output[0])
        if len(users) != 1 or users[0].graph is graph or trans.output[0] in graph.outputs:
            return super()._handle_nhwc_tranpose(trans)
        if trans.get_attr_value("perm") in (NCHW_TO_NHWC, NCDHW_TO_NDHWC):
            body = users[0].graph
            moved = body.make_node("Transpose", [trans.input[0]], attr=trans.get_onnx_attrs())
            body.replace_input(users[0], trans.output[0], moved.output[0])
            graph.remove_node(trans.name)
        return False

    def _handle_node_having_branches(self, trans: Any, node: Any) -> bool:
        graph: Any = self._g
        users = [user for name in node.output for user in graph.find_output_consumers(name)]
        if any(user.type == "Transpose" and user.output[0] in graph.outputs for user in users):
            return False  # it would take an output out with the transposes that are its own
        return super()._handle_node_having_branches(trans, node)

    def _add_handler(self, trans: Any, node: Any) -> bool:
        added = node.inputs[1]
        if added.is_const() and added.get_tensor_value(as_list=False).ndim == 0:
            return self._handle_node_having_branches(trans, node)
        return super()._add_handler(trans, node)

    def _slice_handler(self, trans: Any, node: Any) -> bool:
        graph: Any = self._g
        axes = node.inputs[3] if len(node.input) > 3 else None
        if axes is not None and axes.is_const() and list(node.input).count(node.input[3]) > 1:
            # It writes new axes into the constant of the old ones, which may be that of the steps too.
            own = graph.make_const(utils.make_name("axes"), axes.get_tensor_value(as_list=False))
            graph.replace_inputs(node, [*node.input[:3], own.output[0], *node.input[4:]])
        return super()._slice_handler(trans, node)

    def _mul_handler(self, trans: Any, node: Any) -> bool:
        graph: Any = self._g
        is_square, shape = len(set(node.input)) == 1, graph.get_shape(trans.output[0])
        moved = super()._mul_handler(trans, node)
        if moved and is_square and shape is not None:  # whose shape it leaves as that of after the transpose
            graph.set_shape(node.output[0], [shape[axis] for axis in invert_perm(trans.get_attr_value("perm"))])
        return moved


class _Duplicates(MergeDuplicatedNodesOptimizer):
    """tf2onnx's, but for loops and branches: it takes those for the same that differ in their bodies alone."""

    def _skip_node_type(self, node: Any) -> bool:
        return bool(node.get_body_graphs()) or super()._skip_node_type(node)


class _Reshapes(ReshapeOptimizer):
    """tf2onnx's, but for a reshape that gives an output: what it would put behind it would have another name."""

    def _optimize_reshape(self, node: Any, graph: Any) -> bool:
        (output,) = node.output
        if output not in graph.outputs or node.inputs[1].is_const():
            return super()._optimize_reshape(node, graph)
        shapes, dtypes, inputs = node.output_shapes, node.output_dtypes, list(node.input)
        graph.remove_node(node.name)
        inside = graph.make_node("Reshape", inputs, shapes=shapes, dtypes=dtypes)
        between = graph.make_node("Identity", [inside.output[0]], outputs=[output], shapes=shapes, dtypes=dtypes)
        if super()._optimize_reshape(inside, graph):
            return True
        # As it was: the pass that joins the two again would call that a change, and bring this one back for ever.
        graph.remove_node(between.name)
        graph.remove_node(inside.name)
        graph.make_node("Reshape", inputs, outputs=[output], shapes=shapes, dtypes=dtypes)
        return False


class _BackToBack(BackToBackOptimizer):
    """tf2onnx's, but for casts and some reshapes.

    It takes casts out too that round, as from int64 over float32 and back, or cut off. And of two reshapes the first,
    though a 0 in the shape of the second stands for the size that the first gives that axis.
    """

    def _optimize_at_current_graph_level(self, g: Any) -> Any:
        handlers = back_to_back_optimizer._func_map
        before = dict(handlers)
        del handlers[("Cast",)]
        handlers[("Reshape",)] = functools.partial(_reshapes_joined, before[("Reshape",)])
        try:
            return super()._optimize_at_current_graph_level(g)
        finally:
            handlers.clear()
            handlers.update(before)


def _reshapes_joined(join: Callable[..., list], graph: Any, node: Any, users: list) -> list:
    """Joins a reshape with the one that follows, unless that takes over sizes."""
    shapes = [user.inputs[1] for user in users if user.type == "Reshape"]
    taken_over = [shape for shape in shapes if shape.is_const() and 0 in shape.get_tensor_value(as_list=False)]
    return [] if taken_over else join(graph, node, users)


# In tf2onnx's order. Left out are those for quantized graphs, which none is yet, and that for einsums, which times all
# ways to write one, in each export, and takes what is fastest on this machine: minutes, and files that differ.
_PASSES = collections.OrderedDict(
    optimize_transpose=_Transposes,
    fold_constants=ConstFoldOptimizer,
    loop_optimizer=LoopOptimizer,
    merge_duplication=_Duplicates,
    reshape_optimizer=_Reshapes,
    remove_identity=IdentityOptimizer,
    remove_back_to_back=_BackToBack,
)
_FIRST_PASSES = collections.OrderedDict(
    fold_constants=ConstFoldOptimizer, remove_identity=IdentityOptimizer, simplification=Simplification
)
# By themselves: tf2onnx's pass for transposes would move those that are left back.
_LAST_PASSES = collections.OrderedDict(
    simplification=Simplification,
    folding=Folding,
    layout=Layout,
    fold_constants=ConstFoldOptimizer,
    merge_duplication=_Duplicates,
    remove_identity=IdentityOptimizer,
)
