"""Values put to places, of which tf2onnx's own lose some: sums of segments, sorting, one-hot codes."""

from typing import Any

import numpy as np
from onnx import TensorProto

from export.ops.build import Builder


def scatter_nd(graph: Any, node: Any) -> None:
    """ScatterNd (places, values, shape): sums of the values at each place; tf2onnx keeps one of them only."""
    build = Builder(graph, node)
    places, values, shape = build.inputs
    zeros = build.op("Expand", build.number(0), build.cast(shape, TensorProto.INT64))
    build.replace(build.op("ScatterND", zeros, build.cast(places, TensorProto.INT64), values, reduction="add"))


def unsorted_segment_sum(graph: Any, node: Any) -> None:
    """UnsortedSegmentSum (values, segments, count): the sum of each segment; negative segments are left out."""
    _segments(graph, node, "add", 0)


def unsorted_segment_prod(graph: Any, node: Any) -> None:
    """UnsortedSegmentProd (values, segments, count): the product of each segment, 1 for empty ones."""
    _segments(graph, node, "mul", 1)


def unsorted_segment_max(graph: Any, node: Any) -> None:
    """UnsortedSegmentMax (values, segments, count): the largest of each segment, the lowest for empty ones."""
    _segments(graph, node, "max", _ends(node).min)


def unsorted_segment_min(graph: Any, node: Any) -> None:
    """UnsortedSegmentMin (values, segments, count): the smallest of each segment, the highest for empty ones."""
    _segments(graph, node, "min", _ends(node).max)


def segment_max(graph: Any, node: Any) -> None:
    """SegmentMax (values, segments): the largest of each segment, 0 for empty ones, where tf2onnx has -inf."""
    build = Builder(graph, node)
    found, counts = _sorted_segments(build, "max", _ends(node).min)
    build.replace(build.op("Where", build.op("Greater", counts, build.number(0)), found, build.number(0)))


def segment_min(graph: Any, node: Any) -> None:
    """SegmentMin (values, segments): the smallest of each segment, 0 for empty ones, where tf2onnx has inf."""
    build = Builder(graph, node)
    found, counts = _sorted_segments(build, "min", _ends(node).max)
    build.replace(build.op("Where", build.op("Greater", counts, build.number(0)), found, build.number(0)))


def segment_mean(graph: Any, node: Any) -> None:
    """SegmentMean (values, segments): the mean of each segment, 0 for empty ones, where tf2onnx has NaN."""
    build = Builder(graph, node)
    found, counts = _sorted_segments(build, "add", 0)
    build.replace(build.op("Div", found, build.op("Max", counts, build.number(1))))


def top_k(graph: Any, node: Any) -> None:
    """TopKV2 (x, k): the largest values, first the largest, and where they are; tf2onnx rounds float64 to float32."""
    build = Builder(graph, node)
    x, k = build.inputs
    k = build.op("Reshape", build.cast(k, TensorProto.INT64), build.vector(1))
    found = graph.make_node("TopK", [x, k], attr={"axis": -1}, output_count=2)
    build.replace(found.output[0], build.cast(found.output[1], node.output_dtypes[1]))


def one_hot(graph: Any, node: Any) -> None:
    """OneHot (places, depth, on, off): `off` everywhere for negative places, which ONNX counts from the end."""
    build = Builder(graph, node)
    places, depth, on, off = build.inputs
    zero, one = build.constant(0, np.int64), build.constant(1, np.int64)
    axis, rank = int(node.get_attr_value("axis", -1)), len(graph.get_shape(node.input[0]))
    depth = build.op("Reshape", build.cast(depth, TensorProto.INT64), build.vector())
    code = build.op("Range", zero, depth, one)
    places = build.op("Unsqueeze", build.cast(places, TensorProto.INT64), build.vector(-1))
    hot = build.op("Where", build.op("Equal", places, code), on, off)
    if axis not in (-1, rank):
        order = list(range(rank))
        order.insert(axis, rank)
        hot = build.op("Transpose", hot, perm=order)
    build.replace(hot)


def dynamic_update_slice(graph: Any, node: Any) -> None:
    """XlaDynamicUpdateSlice (x, update, begin): x with the update in it, moved to where all of it lies in x."""
    build = Builder(graph, node)
    x, update, begin = build.inputs
    if graph.get_shape(node.input[0]) == []:
        build.replace(update)
        return
    is_bool = build.dtype == bool
    if is_bool:  # of which ONNX Runtime pads and chooses none
        x, update = (build.cast(each, TensorProto.UINT8) for each in (x, update))
    room = build.op("Sub", build.op("Shape", x), build.op("Shape", update))
    begin = build.op("Max", build.cast(begin, TensorProto.INT64), build.constant(0, np.int64))
    begin = build.op("Min", begin, room)
    pads = build.op("Concat", begin, build.op("Sub", room, begin), axis=0)
    ones = build.op("Expand", build.constant(1, np.int32), build.op("Shape", update))
    is_new = build.cast(build.op("Pad", ones, pads), TensorProto.BOOL)
    found = build.op("Where", is_new, build.op("Pad", update, pads), x)
    build.replace(build.cast(found, TensorProto.BOOL) if is_bool else found)


def bucketize(graph: Any, node: Any) -> None:
    """Bucketize: how many of the boundaries, which are float32, each value is not below."""
    build = Builder(graph, node)
    values, boundaries = build.inputs[0], np.float32(node.get_attr_value("boundaries"))
    if graph.get_dtype(values) == TensorProto.DOUBLE:
        boundaries = boundaries.astype(np.float64)
    else:
        values = build.cast(values, TensorProto.FLOAT)
    below = build.op(
        "Less", build.op("Unsqueeze", values, build.vector(-1)), build.constant(boundaries, boundaries.dtype)
    )
    counted = build.cast(build.op("Not", below), TensorProto.INT32)
    build.replace(build.op("ReduceSum", counted, build.vector(-1), keepdims=0))


def invert_permutation(graph: Any, node: Any) -> None:
    """InvertPermutation: where each number is."""
    build = Builder(graph, node)
    places = build.cast(build.inputs[0], TensorProto.INT64)
    size = build.op("Reshape", build.op("Shape", places), build.vector())
    numbers = build.op("Range", build.constant(0, np.int64), size, build.constant(1, np.int64))
    found = build.op("ScatterElements", numbers, places, numbers, axis=0)
    build.replace(build.cast(found, node.output_dtypes[0]))


def _ends(node: Any) -> Any:
    dtype = Builder(None, node).dtype
    return np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)


def _sorted_segments(build: Builder, reduction: str, blank: float) -> tuple[str, str]:
    """Returns values scattered to one place for each segment, up to the last, and how many came to each."""
    values, segments = build.inputs
    segments = build.op("Reshape", build.cast(segments, TensorProto.INT64), build.vector(-1, 1))
    last = build.op("ReduceMax", build.op("Concat", segments, build.constant([[-1]], np.int64), axis=0), keepdims=0)
    count = build.op("Reshape", build.op("Add", last, build.constant(1, np.int64)), build.vector(1))
    shape = build.op("Concat", count, build.sizes_of(values, 1), axis=0)

    def scattered(values: str, reduction: str, blank: float) -> str:
        blanks = build.op("Expand", build.number(blank), shape)
        return build.op("ScatterND", blanks, segments, values, reduction=reduction)

    ones = build.op("Expand", build.number(1), build.op("Shape", values))
    return scattered(values, reduction, blank), scattered(ones, "add", 0)


def _segments(graph: Any, node: Any, reduction: str, blank: float) -> None:
    """Scatters values to one place for each segment, and one more, cut off after, for negative segments."""
    build = Builder(graph, node)
    values, segments, count = build.inputs
    rank = len(graph.get_shape(node.input[1]))
    count = build.op("Reshape", build.cast(count, TensorProto.INT64), build.vector(1))
    rest = build.sizes_of(values, rank)
    segments = build.op("Reshape", build.cast(segments, TensorProto.INT64), build.vector(-1, 1))
    is_left_out = build.op("Less", segments, build.constant(0, np.int64))
    segments = build.op("Where", is_left_out, count, segments)
    values = build.op("Reshape", values, build.op("Concat", build.sizes_of(segments, end=1), rest, axis=0))
    shape = build.op("Concat", build.op("Add", count, build.vector(1)), rest, axis=0)
    blanks = build.op("Expand", build.number(blank), shape)
    scattered = build.op("ScatterND", blanks, segments, values, reduction=reduction)
    build.replace(build.op("Slice", scattered, build.vector(0), count, build.vector(0)))
