"""Shapes and broadcasts, which every TFP distribution and every gradient with a free batch axis asks for."""

from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import Builder


def shape_n(graph: Any, node: Any) -> None:
    """ShapeN: the shape of each input."""
    build = Builder(graph, node)
    dtypes = node.output_dtypes
    shapes = [build.op("Shape", value) for value in build.inputs]
    build.replace(*(build.cast(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)))


def broadcast_args(graph: Any, node: Any) -> None:
    """BroadcastArgs: the shape that two shapes broadcast to.

    ONNX has no such op on shapes, so an empty-handed tensor of the first shape is expanded by the second.
    """
    build = Builder(graph, node)
    first, second = (build.cast(value, TensorProto.INT64) for value in build.inputs)
    expanded = build.op("Expand", build.op("ConstantOfShape", first), second)
    build.replace(build.cast(build.op("Shape", expanded), node.output_dtypes[0]))


def broadcast_gradient_args(graph: Any, node: Any) -> None:
    """BroadcastGradientArgs: for two shapes that were broadcast together, the axes to sum the gradient of each over.

    Axes of size 1, or that a shape lacks; to sum over one that is of size 1 in both changes nothing.

    Raises:
        ExportError: The number of axes is not known when the graph is made.
    """
    build = Builder(graph, node)
    lengths = [(graph.get_shape(value) or [-1])[0] for value in node.input]
    if min(lengths) < 0:
        raise ExportError(f"{node.name}: gradients of broadcasts are exported for tensors of known rank only.")
    rank, found = max(lengths), []
    for value, length, dtype in zip(build.inputs, lengths, node.output_dtypes, strict=True):
        shape = build.cast(value, TensorProto.INT64)
        if length < rank:
            shape = build.op("Concat", build.constant(np.ones(rank - length), np.int64), shape, axis=0)
        is_one = build.op("Equal", shape, build.constant(1, np.int64))
        axes = build.op("Reshape", build.op("NonZero", is_one), build.constant([-1], np.int64))
        found.append(build.cast(axes, dtype))
    build.replace(*found)


def dynamic_stitch(graph: Any, node: Any) -> None:
    """DynamicStitch: values put at their places, of which later ones win; as long as the largest place says.

    tf2onnx's own is as long as all values together.

    Raises:
        ExportError: Places are given neither as vectors nor as scalars.
    """
    build = Builder(graph, node)
    half = len(build.inputs) // 2
    ranks = [None if graph.get_shape(value) is None else len(graph.get_shape(value)) for value in node.input[:half]]
    if any(rank not in (0, 1) for rank in ranks):
        raise ExportError(f"{node.name}: values are put at places in vectors only.")

    def as_vector(value: str, rank: int | None) -> str:
        return value if rank else build.op("Unsqueeze", value, build.constant([0], np.int64))

    places = [as_vector(value, rank) for value, rank in zip(build.inputs[:half], ranks, strict=True)]
    values = [as_vector(value, rank) for value, rank in zip(build.inputs[half:], ranks, strict=True)]
    joined = build.cast(build.op("Concat", *places, axis=0), TensorProto.INT64)
    values = build.op("Concat", *values, axis=0)
    one, zero = build.constant([1], np.int64), build.constant([0], np.int64)
    length = build.op("Add", build.op("ReduceMax", joined, keepdims=1), one)
    rest = build.op("Slice", build.op("Shape", values), one, build.constant([2**31 - 1], np.int64), zero)
    blank = build.op("Expand", build.op("CastLike", build.constant([0], np.int64), values), length)
    blank = build.op("Expand", _with_axes(build, blank, rest), build.op("Concat", length, rest, axis=0))
    places = build.op("Reshape", joined, build.constant([-1, 1], np.int64))
    build.replace(build.op("ScatterND", blank, places, values))


def _with_axes(build: Builder, vector: str, rest: str) -> str:
    """Returns a vector with as many axes of size 1 behind as `rest`, a shape, has sizes."""
    ones = build.op("Expand", build.constant([1], np.int64), build.op("Shape", rest))
    return build.op("Reshape", vector, build.op("Concat", build.constant([-1], np.int64), ones, axis=0))


def concat_offset(graph: Any, node: Any) -> None:
    """ConcatOffset (axis, shapes): where each of several tensors begins in what they are joined to.

    Raises:
        ExportError: The axis is not known when the graph is made.
    """
    build = Builder(graph, node)
    if not node.inputs[0].is_const():
        raise ExportError(f"{node.name}: gradients of concatenations are exported for a known axis only.")
    axis, rank = int(node.inputs[0].get_tensor_value()), graph.get_shape(node.input[1])[0]
    along = build.constant(np.arange(rank) == axis % rank, np.int64)
    offsets, offset = [], build.constant(np.zeros(rank), np.int64)
    for shape, dtype in zip(build.inputs[1:], node.output_dtypes, strict=True):
        offsets.append(build.cast(offset, dtype))
        offset = build.op("Add", offset, build.op("Mul", build.cast(shape, TensorProto.INT64), along))
    build.replace(*offsets)


def roll(graph: Any, node: Any) -> None:
    """Roll (x, shifts, axes): what leaves one end of an axis comes in at the other; tf2onnx's fails on empty ones.

    Raises:
        ExportError: The axes, or how many there are, are not known when the graph is made.
    """
    build = Builder(graph, node)
    x, shifts, _ = build.inputs
    if not node.inputs[2].is_const() or graph.get_shape(node.input[0]) is None:
        raise ExportError(f"{node.name}: values are rolled along known axes only.")
    shifts = build.op("Reshape", build.cast(shifts, TensorProto.INT64), build.vector(-1))
    rank, (zero, one, last) = len(graph.get_shape(node.input[0])), map(build.vector, (0, 1, np.iinfo(np.int64).max))
    for place, axis in enumerate(np.ravel(node.inputs[2].get_tensor_value(as_list=False)).tolist()):
        shift, along = build.op("Gather", shifts, build.vector(place)), build.vector(axis % rank)
        size = build.op("Gather", build.op("Shape", x), along)
        cut = build.op("Sub", size, build.op("Mod", shift, build.op("Max", size, one)))
        parts = build.op("Slice", x, cut, last, along), build.op("Slice", x, zero, cut, along)
        x = build.op("Concat", *parts, axis=axis % rank)
    build.replace(x)
