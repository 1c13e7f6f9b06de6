"""Pads that ONNX Runtime takes for others than they are.

Zeros around images whose maxima are taken are no pixels at all to it: it makes one op of a pad of zeros and a maximum,
whose pads are below all numbers, unless the pad names its axes, as it may from opset 18 on. Before, the smallest normal
number stands for zero there.

Pooling with pads by their name fails in it where windows leave pixels out between them, as there is nothing to pad.
Along axes where a window is one pixel the pixels are picked before.

In volumes TensorFlow lets windows begin behind the first pixel where they leave two or more out between them.

A convolution that skips pixels, with pads by its name for them, is refused once it runs. They are written as numbers,
which they are at any size of the image where there are no strides.
"""

from typing import Any

import numpy as np
from tf2onnx import utils

from export.obstacles import Refusal

_WITH_AXES = 18
_VOLUME, _VOLUME_SKIPS = 3, 2  # axes; and pixels between windows from which on TensorFlow begins inside


def keep_pads(graph: Any) -> list[Refusal]:
    """Writes pads of zeros that a maximum follows so that they stay, and others as numbers.

    Args:
        graph: Of tf2onnx, which is changed.

    Returns:
        Pooling that ONNX Runtime would fail at for some sizes.
    """
    refused: list[Refusal] = []
    for node in list(graph.get_nodes()):
        for body in (node.get_body_graphs() or {}).values():
            refused += keep_pads(body)
        by_name = node.get_attr_value("auto_pad") in (b"SAME_UPPER", "SAME_UPPER")
        if node.type in ("AveragePool", "MaxPool") and by_name:
            refused += _begins_inside(graph, node) or _pick_pixels(graph, node)
        if node.type == "Conv" and by_name:
            refused += _begins_inside(graph, node)
            _pad_by_numbers(node)
        if node.type == "MaxPool" and node.inputs[0] is not None and node.inputs[0].type == "Pad":
            _keep(graph, node.inputs[0])
    return refused


def _begins_inside(graph: Any, node: Any) -> list[Refusal]:
    """Refuses windows that TensorFlow places inside of a volume: it alone pads these by less than nothing."""
    strides, window = list(node.get_attr_value("strides", [])), node.get_attr_value("kernel_shape")
    if len(strides) < _VOLUME:
        return []
    window = list(window or graph.get_shape(node.input[1])[2:])
    least = (max(size, 1) for size in window)  # an unknown one is -1
    if all(stride - size < _VOLUME_SKIPS for size, stride in zip(least, strides, strict=True)):
        return []
    reason = f"its windows of {window}, {strides} apart, begin inside of a volume of free size with padding='same'"
    return [(node.type, node.name, reason)]


def _pick_pixels(graph: Any, pool: Any) -> list[Refusal]:
    """Picks pixels before a pool, along axes where each window is one of them."""
    window, strides = list(pool.get_attr_value("kernel_shape")), list(pool.get_attr_value("strides"))
    if any(1 < size < stride for size, stride in zip(window, strides, strict=True)):
        reason = (
            f"its windows of {window} leave pixels out between them, {strides} apart, and with padding='same' they are "
            "placed by the size of the image, which is free"
        )
        return [(pool.type, pool.name, reason)]
    axes = [axis for axis, (size, stride) in enumerate(zip(window, strides, strict=True)) if size < stride]
    if axes:
        parts = ([0] * len(axes), [np.iinfo(np.int64).max] * len(axes), [2 + axis for axis in axes])
        steps = [strides[axis] for axis in axes]
        constants = [graph.make_const(utils.make_name("pick"), np.array(part)) for part in (*parts, steps)]
        picked = graph.make_node("Slice", [pool.input[0], *(constant.output[0] for constant in constants)])
        graph.replace_input(pool, pool.input[0], picked.output[0], 0)
        pool.set_attr("strides", [1 if axis in axes else stride for axis, stride in enumerate(strides)])
    return []


def _pad_by_numbers(conv: Any) -> None:
    dilations, strides = (conv.get_attr_value(name, []) for name in ("dilations", "strides"))
    if max(dilations, default=1) == 1 or max(strides, default=1) > 1 or not conv.inputs[1].is_const():
        return
    kernel = conv.inputs[1].get_tensor_value(as_list=False).shape[2:]
    totals = [(size - 1) * step for size, step in zip(kernel, dilations, strict=True)]
    del conv.attr["auto_pad"]
    conv.set_attr("pads", [total // 2 for total in totals] + [total - total // 2 for total in totals])


def _keep(graph: Any, pad: Any) -> None:
    given = pad.inputs[2] if len(pad.input) > 2 and pad.input[2] else None
    dtype = utils.map_onnx_to_numpy_type(graph.get_dtype(pad.input[0]))
    is_zero = given is None or (given.is_const() and not given.get_tensor_value(as_list=False).any())
    is_constant = pad.get_attr_value("mode", b"constant") in (b"constant", "constant")
    if not (is_zero and is_constant and np.dtype(dtype).kind == "f"):
        return
    if graph.opset >= _WITH_AXES:
        zero = graph.make_const(utils.make_name("zero"), np.zeros((), dtype)).output[0]
        axes = graph.make_const(utils.make_name("axes"), np.arange(graph.get_rank(pad.input[0]))).output[0]
        graph.replace_inputs(pad, [*pad.input[:2], zero, axes])
    else:
        tiny = graph.make_const(utils.make_name("tiny"), np.finfo(dtype).tiny).output[0]
        graph.replace_inputs(pad, [*pad.input[:2], tiny])
