"""A pass that folds what is done to the results of convolutions and dense layers into their weights.

Batch normalization, above all, is a product and a sum for each channel (Jacob et al. 2018, section 3.2).
"""

import math
from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.optimizer.optimizer_base import GraphOptimizerBase

_CONVOLUTIONS = ("Conv", "ConvTranspose")


class Folding(GraphOptimizerBase):
    """The pass, as tf2onnx runs them."""

    def _optimize(self, graph: Any) -> Any:
        return self._apply_optimization(graph, self._fold_all)

    def _fold_all(self, graph: Any) -> Any:
        for node in list(graph.get_nodes()):
            if node.type == "ConvTranspose":
                self.graph_been_opt |= _make_convolution(graph, node)
            elif node.type in ("Add", "Mul", "Sub"):
                self.graph_been_opt |= _fold(graph, node)
        graph.topological_sort(graph.get_nodes())
        return graph


def _fold(graph: Any, node: Any) -> bool:
    """Folds a sum or product with a constant into what comes before; returns whether that could be."""
    first, second = (_value(graph, name) for name in node.input)
    value = second if first is None else first
    if value is None or (first is not None and (second is not None or node.type == "Sub")):
        return False
    name = node.input[0 if first is None else 1]
    source = graph.get_node_by_output_in_current_graph(name)
    if source is None or not _is_used_once(graph, name):
        return False
    if node.type == "Sub":
        value = -value
    if source.type in _CONVOLUTIONS:
        folded = _fold_into_convolution(graph, source, value, node.type == "Mul")
    elif source.type == "Reshape":
        return _swap_with_reshape(graph, node, source, value)
    else:
        folded = node.type == "Mul" and _fold_into_dense(graph, source, value)
    if folded:
        _replace_by_identity(graph, node, name)
    return folded


def _fold_into_convolution(graph: Any, source: Any, value: np.ndarray, scales: bool) -> bool:
    weights = _value(graph, source.input[1])
    has_bias = len(source.input) > 2 and bool(source.input[2])
    bias = _value(graph, source.input[2]) if has_bias else None
    if weights is None or (has_bias and bias is None) or source.get_attr_value("group", 1) != 1:
        return False
    axis = 0 if source.type == "Conv" else 1
    channels = weights.shape[axis]
    shape = (1,) * (weights.ndim - value.ndim) + value.shape
    if shape != (1, value.size, *(1,) * (weights.ndim - 2)) or value.size not in (1, channels):
        return False
    value = np.broadcast_to(value.reshape(-1), [channels]).astype(weights.dtype)
    bias = np.zeros(channels, weights.dtype) if bias is None else bias
    if scales:
        weights = weights * value.reshape([-1 if each == axis else 1 for each in range(weights.ndim)])
        graph.replace_input(source, source.input[1], _const(graph, weights), 1)
    bias = _const(graph, bias * value if scales else bias + value)
    graph.replace_inputs(source, [*source.input[:2], bias])
    return True


def _fold_into_dense(graph: Any, source: Any, value: np.ndarray) -> bool:
    """Folds a product into a product of matrices, through the sum with a bias."""
    bias_place = None
    if source.type == "Add":
        places = [place for place, name in enumerate(source.input) if _value(graph, name) is not None]
        if len(places) != 1:
            return False
        (bias_place,) = places
        name = source.input[1 - bias_place]
        dense = graph.get_node_by_output_in_current_graph(name)
        if dense is None or not _is_used_once(graph, name):
            return False
    else:
        dense = source
    weights = _value(graph, dense.input[1]) if dense.type == "MatMul" else None
    if weights is None or weights.ndim != 2 or value.shape not in ((), (1,), weights.shape[1:]):
        return False
    graph.replace_input(dense, dense.input[1], _const(graph, weights * value), 1)
    if bias_place is not None:
        bias = _value(graph, source.input[bias_place])
        graph.replace_input(source, source.input[bias_place], _const(graph, bias * value), bias_place)
    return True


def _swap_with_reshape(graph: Any, node: Any, reshape: Any, value: np.ndarray) -> bool:
    """Puts a sum or product before the Reshape of a dense layer's result, where it may be folded."""
    before, after = graph.get_shape(reshape.input[0]) or [-1], graph.get_shape(reshape.output[0]) or [-1]
    source = graph.get_node_by_output_in_current_graph(reshape.input[0])
    if source is None or source.type not in ("Add", "MatMul") or not _is_used_once(graph, reshape.input[0]):
        return False
    shape = (1,) * (len(after) - value.ndim) + value.shape
    fits = len(before) == 2 and -1 not in (*before[1:], *after[1:]) and len(shape) == len(after) and shape[0] == 1
    fits = fits and math.prod(after[1:]) == before[1]
    if not fits or any(size not in (1, whole) for size, whole in zip(shape[1:], after[1:], strict=True)):
        return False
    value = np.broadcast_to(value.reshape(shape[1:]), after[1:]).reshape(-1)
    dtypes = node.output_dtypes
    op = "Mul" if node.type == "Mul" else "Add"
    inner = graph.make_node(op, [reshape.input[0], _const(graph, value)], shapes=[before], dtypes=dtypes).output[0]
    outer = graph.make_node("Reshape", [inner, reshape.input[1]], shapes=[after], dtypes=dtypes).output[0]
    _replace_by_identity(graph, node, outer)
    return True


def _make_convolution(graph: Any, node: Any) -> bool:
    """Makes a transposed convolution of stride 1, as in gradients, a plain one with its kernel turned around.

    ONNX Runtime computes these two to three times as fast; those of greater strides it does not.
    """
    weights = _value(graph, node.input[1])
    plain = all(
        set(node.get_attr_value(name, [default])) == {default}
        for name, default in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    padded = node.get_attr_value("auto_pad", b"NOTSET") in (b"NOTSET", "NOTSET") and not node.get_attr("output_shape")
    if weights is None or weights.ndim != 4 or not plain or not padded or node.get_attr_value("group", 1) != 1:
        return False
    pads = node.get_attr_value("pads", [0] * 4)
    kernel = weights.shape[2:]
    turned = [size - 1 - pad for size, pad in zip((*kernel, *kernel), pads, strict=True)]
    if min(turned) < 0:
        return False
    inputs = [node.input[0], _const(graph, weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)), *node.input[2:]]
    outputs, shapes, dtypes = list(node.output), node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    graph.make_node(
        "Conv", inputs, {"pads": turned, "kernel_shape": list(kernel)}, outputs=outputs, shapes=shapes, dtypes=dtypes
    )
    return True


def _is_used_once(graph: Any, name: str) -> bool:
    return name not in graph.outputs and len(graph.find_output_consumers(name)) == 1


def _value(graph: Any, name: str) -> np.ndarray | None:
    """Returns a constant, or None."""
    node = graph.get_node_by_output(name)
    return node.get_tensor_value(as_list=False) if node is not None and node.is_const() else None


def _const(graph: Any, value: np.ndarray) -> str:
    return graph.make_const(utils.make_name("folded"), np.array(value, order="C")).output[0]


def _replace_by_identity(graph: Any, node: Any, name: str) -> None:
    """Puts an Identity in the place of a node, which another pass takes out."""
    outputs, shapes, dtypes = list(node.output), node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    graph.make_node("Identity", [name], outputs=outputs, shapes=shapes, dtypes=dtypes)
