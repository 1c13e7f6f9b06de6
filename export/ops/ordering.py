"""What is larger and what is smaller: exact for int64, whose halves ONNX Runtime compares on some processors.

Its Max, Min, Clip, Relu, Sign, ReduceMax and ReduceMin take 2**31 for less than 0; Greater, Less, Where and ArgMax
do not.
"""

from typing import Any

import numpy as np

from export.errors import ExportError
from export.ops.build import Builder, as_tf2onnx


def maximum(graph: Any, node: Any) -> None:
    """Maximum: in its own dtype, where tf2onnx rounds integers to float32."""
    build = Builder(graph, node)
    build.replace(_larger(build, *build.inputs))


def minimum(graph: Any, node: Any) -> None:
    """Minimum: in its own dtype, where tf2onnx rounds integers to float32."""
    build = Builder(graph, node)
    build.replace(_smaller(build, *build.inputs))


def clip_by_value(graph: Any, node: Any) -> None:
    """ClipByValue (x, low, high): x, or the bound that it is beyond."""
    build = Builder(graph, node)
    x, low, high = build.inputs
    build.replace(_larger(build, _smaller(build, x, high), low))


def relu(graph: Any, node: Any) -> None:
    """Relu: x, or 0 where it is less."""
    build = Builder(graph, node)
    (x,) = build.inputs
    build.replace(_larger(build, x, build.number(0)) if build.dtype == np.int64 else build.op("Relu", x))


def relu6(graph: Any, node: Any) -> None:
    """Relu6: x, or 0 where it is less and 6 where it is more."""
    build = Builder(graph, node)
    (x,), zero, six = build.inputs, build.number(0), build.number(6)
    is_wide = build.dtype == np.int64
    build.replace(_smaller(build, _larger(build, x, zero), six) if is_wide else build.op("Clip", x, zero, six))


def sign(graph: Any, node: Any) -> None:
    """Sign: 1, 0 or -1."""
    build = Builder(graph, node)
    (x,) = build.inputs
    if build.dtype != np.int64:
        build.replace(build.op("Sign", x))
        return
    below = build.choose("Less", x, 0, build.number(-1), build.number(0))
    build.replace(build.choose("Greater", x, 0, build.number(1), below))


def reduce_max(graph: Any, node: Any) -> None:
    """Max (x, axes): the largest; in int64 found by ArgMax, axis by axis.

    Raises:
        ExportError: The numbers are int64, and the axes are not known when the graph is made.
    """
    _reduce(graph, node, "ArgMax", np.iinfo(np.int64).min)


def reduce_min(graph: Any, node: Any) -> None:
    """Min (x, axes): the smallest; in int64 found by ArgMin, axis by axis.

    Raises:
        ExportError: As for Max.
    """
    _reduce(graph, node, "ArgMin", np.iinfo(np.int64).max)


def _larger(build: Builder, x: str, y: str) -> str:
    if build.dtype != np.int64:
        return build.op("Max", x, y)
    return build.op("Where", build.op("Greater", x, y), x, y)


def _smaller(build: Builder, x: str, y: str) -> str:
    if build.dtype != np.int64:
        return build.op("Min", x, y)
    return build.op("Where", build.op("Less", x, y), x, y)


def _reduce(graph: Any, node: Any, place: str, blank: int) -> None:
    build = Builder(graph, node)
    if build.dtype != np.int64:
        as_tf2onnx(graph, node)
        return
    shape = graph.get_shape(node.input[0])
    if not node.inputs[1].is_const() or shape is None:
        raise ExportError(f"{node.name}: the largest and the smallest int64 are found along known axes only.")
    rank, (x, _) = len(shape), build.inputs
    axes = sorted({int(axis) % rank for axis in np.ravel(node.inputs[1].get_tensor_value(as_list=False))})
    for axis in axes:
        # One that is beyond all others comes behind them, for an axis that is empty.
        pads = build.vector(*[0] * rank, *(int(other == axis) for other in range(rank)))
        x = build.op("Pad", x, pads, build.number(blank))
        x = build.op("GatherElements", x, build.op(place, x, axis=axis, keepdims=1), axis=axis)
    kept = node.get_attr_value("keep_dims", 0) or not axes
    build.replace(x if kept else build.op("Squeeze", x, build.vector(*axes)))
