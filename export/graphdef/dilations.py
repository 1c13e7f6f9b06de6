"""Dilated convolutions as TensorFlow writes them where it must: space to batch, convolution, batch to space."""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def pad_before(graph: Any) -> None:
    """Writes those of free sizes that keep the size as a border and one without, which tf2onnx joins to one op.

    Space to batch pads for the border, and up to a multiple of the dilation; batch to space crops the latter.

    Args:
        graph: TensorFlow's GraphDef, which is changed.
    """
    by_name = {node.name: node for node in graph.node}
    for node in [node for node in graph.node if node.op == "BatchToSpaceND"]:
        between = [by_name[name] for name in _convolution(by_name, node)]
        split = by_name.get(_source(between[-1].input[0])) if between else None
        if split is None or split.op != "SpaceToBatchND" or split.input[1:] == node.input[1:]:
            continue
        border = _border(by_name, between, split, node)
        if border is None:
            continue
        sizes = graph.node.add(name=f"{split.name}/border", op="Const")
        sizes.attr["dtype"].type = tf.int32.as_datatype_enum
        sizes.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(border, tf.int32))
        padded = graph.node.add(name=f"{split.name}/padded", op="Pad", input=[split.input[0], sizes.name])
        padded.attr["T"].CopyFrom(split.attr["T"])
        padded.attr["Tpaddings"].type = tf.int32.as_datatype_enum
        split.input[0], split.input[2] = padded.name, node.input[2]


def _border(by_name: dict[str, Any], between: Sequence[Any], split: Any, joined: Any) -> np.ndarray | None:
    """Returns how far each axis is padded before and after, [axes, 2]; nothing where that is not known to be all."""
    kernels = [by_name[_source(each.input[1])] for each in between if each.op in _CONVOLUTIONS]
    dilation, paddings = (by_name[_source(name)] for name in split.input[1:])
    if [each.op for each in (*kernels, dilation)] != ["Const", "Const"]:
        return None
    dilation, kernel = (_known(each) for each in (dilation, kernels[0]))
    if len(dilation) > 2:  # with channels first
        return None
    total = (np.array(kernel.shape[2 - len(dilation) : 2]) - 1) * dilation
    before = total // 2
    crops = by_name[_source(joined.input[2])]
    if _ends(by_name, paddings) != [[*before], [*(total - before)]] or _ends(by_name, crops)[0] != [0] * len(before):
        return None
    return np.pad(np.stack([before, total - before], -1), [(1, 1), (0, 0)])


def _ends(by_name: dict[str, Any], paddings: Any) -> list[list[int]]:
    """Returns what is known to be put before and after each axis, beside what depends on its size."""
    inputs = [by_name[_source(name)] for name in paddings.input] if paddings.op in ("ExpandDims", "Pack") else []
    axes = [[by_name[_source(name)] for name in each.input] for each in inputs if each.op == "Pack"]
    starts = [int(_known(start)) for start, _ in axes if start.op == "Const"]
    after = []
    for _, end in axes:
        padded = by_name[_source(end.input[0])] if end.op == "StridedSlice" else end
        parts = [by_name[_source(name)] for name in padded.input] if padded.op == "AddV2" else []
        after += [_known(part) for part in parts if part.op == "Const"]
    return [starts, [int(value[axis]) for axis, value in enumerate(after) if value.shape == (len(axes),)]]


def _known(node: Any) -> np.ndarray:
    return tf.make_ndarray(node.attr["value"].tensor)


def keep_apart(graph: Any) -> None:
    """Keeps tf2onnx from joining the three where something else, as a gradient, uses what lies between them.

    tf2onnx joins them in place, and what else used the convolution is then given one of another shape. It does not
    where there is an Identity between.

    Args:
        graph: TensorFlow's GraphDef, which is changed.
    """
    _separate(graph.node, "")
    for function in graph.library.function:
        _separate(function.node_def, ":output:0")


def _separate(nodes: Any, output: str) -> None:
    """Puts an Identity before each batch to space that is not to be joined.

    Args:
        nodes: The nodes of a graph or of a function, which are added to.
        output: How the first output of a node is named, behind the name of the node.
    """
    by_name = {node.name: node for node in nodes}
    uses = collections.Counter(_source(value) for node in nodes for value in node.input)
    for node in [node for node in nodes if node.op == "BatchToSpaceND"]:
        between = _convolution(by_name, node)
        if any(uses[name] > 1 for name in between):
            apart = nodes.add(name=f"{node.name}/apart", op="Identity", input=node.input[:1])
            apart.attr["T"].CopyFrom(node.attr["T"])
            node.input[0] = apart.name + output


def _convolution(by_name: dict[str, Any], node: Any) -> Sequence[str]:
    """Returns the names of the nodes between batch to space and space to batch."""
    found = []
    while (name := _source(node.input[0])) in by_name and by_name[name].op in (*_CONVOLUTIONS, "Squeeze", "ExpandDims"):
        found.append(name)
        node = by_name[name]
    return found


def _source(value: str) -> str:
    """Returns the name of the node that a value is of."""
    return value.lstrip("^").partition(":")[0]
