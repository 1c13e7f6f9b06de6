"""Resizing images, and its gradients: mostly products with the matrices that resize rows and columns of known sizes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import Builder

_IN_RESIZE = ("float32", "int32", "int8", "uint8")  # what ONNX Runtime's takes
_TO_FIRST, _TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]
_TABLE = 1024  # into so many parts TensorFlow divides the distance between two pixels, to look bicubic weights up


def resize_bilinear(graph: Any, node: Any) -> None:
    """ResizeBilinear (images, size): ONNX's Resize, by size where tf2onnx's scales would end a pixel short."""
    build = Builder(graph, node)
    mode = "align_corners" if _is_set(node, "align_corners") else "asymmetric"
    _resize(build, mode="linear", coordinate_transformation_mode="half_pixel" if _has_centres(node) else mode)


def resize_nearest(graph: Any, node: Any) -> None:
    """ResizeNearestNeighbor (images, size): the pixels that TensorFlow takes, where ONNX's Resize takes some others."""
    build, sizes = Builder(graph, node), _sizes(graph, node.input[0], node.output[0])
    if min(*sizes[0], *sizes[1]) < 1:
        before, after = build.op("Shape", build.inputs[0]), build.cast(build.inputs[1], TensorProto.INT64)
        rows, columns = (
            _free_places(build, build.op("Gather", before, build.constant(axis + 1, np.int64)), axis, after)
            for axis in (0, 1)
        )
    else:
        places = [_nearest_places(node, count, size) for size, count in zip(*sizes, strict=True)]
        repeated = [np.arange(len(each)) * size // len(each) for each, size in zip(places, sizes[0], strict=True)]
        is_multiple = not any(count % size for size, count in zip(*sizes, strict=True))
        in_resize = build.dtype.name in _IN_RESIZE
        if is_multiple and in_resize and all(map(np.array_equal, places, repeated)):
            _resize(build, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
            return
        rows, columns = (build.vector(*each) for each in places)
    build.replace(build.op("Gather", build.op("Gather", build.inputs[0], rows, axis=1), columns, axis=2))


def resize_bicubic(graph: Any, node: Any) -> None:
    """ResizeBicubic (images, size): with the weights that TensorFlow looks up in a table, where tf2onnx's are exact.

    Raises:
        ExportError: Sizes are not known when the graph is made, or pixels do not lie at their centres.
    """
    _check_centres(node)
    _multiply(graph, node, _cubic)


def resize_area(graph: Any, node: Any) -> None:
    """ResizeArea (images, size): the mean of what each pixel covers, where tf2onnx takes the nearest.

    Raises:
        ExportError: Sizes are not known when the graph is made, or corners are aligned.
    """
    if _is_set(node, "align_corners"):
        raise ExportError(f"{node.name}: {node.type} is exported without align_corners only.")
    _multiply(graph, node, _covered)


def resize_bilinear_grad(graph: Any, node: Any) -> None:
    """ResizeBilinearGrad (g, images): each g is shared out among the four pixels that it is between.

    Raises:
        ExportError: Sizes are not known when the graph is made, or pixels do not lie at their centres.
    """
    _check_centres(node)
    _multiply(graph, node, lambda size, count: _between(count, size).T)


def resize_nearest_grad(graph: Any, node: Any) -> None:
    """ResizeNearestNeighborGrad (g, size): each g goes to the pixel that it was copied from.

    Raises:
        ExportError: Sizes are not known when the graph is made, or pixels do not lie at their centres.
    """
    _check_centres(node)
    _multiply(graph, node, lambda size, count: np.eye(size)[_nearest_places(node, count, size)].T)


def _resize(build: Builder, **attributes: Any) -> None:
    """Replaces a node by ONNX's Resize, by scales where these, which are rounded to float32, lead to the size."""
    graph, node = build.graph, build.node
    images, resized = (np.array(sizes) for sizes in _sizes(graph, node.input[0], node.output[0]))
    # TensorFlow's bilinear images are float32, whatever they are made of.
    first = build.op("Transpose", build.cast(build.inputs[0], node.output_dtypes[0]), perm=_TO_FIRST)
    scales = (resized / images).astype(np.float32)
    if min(*images, *resized) > 0 and (np.floor(images * scales.astype(np.float64)) == resized).all():
        sizes = [build.constant([1, 1, *scales], np.float32)]
    else:
        kept = build.op("Gather", build.op("Shape", first), build.vector(0, 1))
        sizes = ["", build.op("Concat", kept, build.cast(build.inputs[1], TensorProto.INT64), axis=0)]
    build.replace(build.op("Transpose", build.op("Resize", first, "", *sizes, **attributes), perm=_TO_LAST))


def _multiply(graph: Any, node: Any, weights: Callable[[int, int], np.ndarray]) -> None:
    """Replaces a node by products with the matrices [resized, size] that resize rows and columns.

    Args:
        graph: tf2onnx's graph.
        node: The node.
        weights: A matrix, by the sizes after and before.

    Raises:
        ExportError: Sizes are not known when the graph is made.
    """
    build, sizes = Builder(graph, node), _sizes(graph, node.input[0], node.output[0])
    if min(*sizes[0], *sizes[1]) < 1:
        raise ExportError(f"{node.name}: {node.type} is exported for images of known size only.")
    # TensorFlow's images are float32, whatever they are made of.
    x = build.op("Transpose", build.cast(build.inputs[0], node.output_dtypes[0]), perm=_TO_FIRST)
    rows, columns = (weights(after, before) for before, after in zip(*sizes, strict=True))
    x = build.op("MatMul", x, build.constant(columns.T, build.dtype))
    x = build.op("MatMul", build.constant(rows, build.dtype), x)
    build.replace(build.op("Transpose", x, perm=_TO_LAST))


def _sizes(graph: Any, *values: str) -> tuple[list[int], ...]:
    """Returns height and width of images, -1 where they are not known when the graph is made."""
    return tuple((graph.get_shape(value) or [-1] * 4)[1:3] for value in values)


def _is_set(node: Any, name: str) -> bool:
    return bool(node.get_attr_value(name, 0))


def _has_centres(node: Any) -> bool:
    """Returns whether pixels lie at their centres, 0.5, 1.5, ..."""
    return _is_set(node, "half_pixel_centers") and not _is_set(node, "align_corners")


def _check_centres(node: Any) -> None:
    if not _has_centres(node):
        raise ExportError(f"{node.name}: {node.type} is exported for half_pixel_centers only.")


def _places(count: int, size: int) -> np.ndarray:
    """Returns where `count` pixels lie among `size` of them, whose centres lie at 0.5, 1.5, ..., as TensorFlow does."""
    return (np.arange(count, dtype=np.float32) + np.float32(0.5)) * (np.float32(size) / np.float32(count))


def _between(count: int, size: int) -> np.ndarray:
    """Returns the weights [count, size] of what is between two pixels."""
    places = _places(count, size) - np.float32(0.5)
    lower = np.floor(places)
    upper_weight = (places - lower)[:, None]
    eye = np.eye(size, dtype=np.float32)
    below, above = (eye[np.clip(each, 0, size - 1).astype(int)] for each in (lower, np.ceil(places)))
    return below * (1 - upper_weight) + above * upper_weight


def _nearest_places(node: Any, count: int, size: int) -> np.ndarray:
    """Returns which of `size` pixels TensorFlow takes for each of `count`, in float32 as it does."""
    pixels = np.arange(count, dtype=np.float32)
    if _has_centres(node):
        places = _places(count, size)
    elif _is_set(node, "align_corners") and count > 1:
        places = pixels * (np.float32(size - 1) / np.float32(count - 1))
        places = np.floor(places) + (places - np.floor(places) >= 0.5)
    else:
        places = pixels * (np.float32(size) / np.float32(count))
    return np.minimum(places.astype(int), size - 1)


def _free_places(build: Builder, size: str, axis: int, sizes: str) -> str:
    """Returns what `_nearest_places` does, of sizes that are known when the graph is run.

    Args:
        build: Of the node that resizes.
        size: The number of pixels before.
        axis: Of `sizes`.
        sizes: The numbers of pixels after.
    """
    one, zero = build.constant(1, np.int64), build.constant(0, np.int64)
    count = build.op("Gather", sizes, build.constant(axis, np.int64))
    pixels = build.cast(build.op("Range", zero, count, one), TensorProto.FLOAT)
    last = build.op("Sub", size, one)
    if _is_set(build.node, "align_corners"):
        # One pixel alone is the first, whatever it is scaled by.
        ends = last, build.op("Max", build.op("Sub", count, one), one)
    else:
        ends = size, count
    scale = build.op("Div", *(build.cast(each, TensorProto.FLOAT) for each in ends))
    half = build.constant(0.5, np.float32)
    places = build.op("Mul", build.op("Add", pixels, half) if _has_centres(build.node) else pixels, scale)
    whole = build.cast(places, TensorProto.INT64)
    if _is_set(build.node, "align_corners"):
        rest = build.op("Sub", places, build.cast(whole, TensorProto.FLOAT))
        whole = build.op("Add", whole, build.cast(build.op("GreaterOrEqual", rest, half), TensorProto.INT64))
    return build.op("Min", whole, last)


def _covered(count: int, size: int) -> np.ndarray:
    """Returns the weights [count, size] of the parts of pixels that a larger or smaller one covers."""
    ends, pixels = np.arange(count + 1) * (size / count), np.arange(size)
    parts = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return np.maximum(parts, 0) * (count / size)


def _cubic(count: int, size: int) -> np.ndarray:
    """Returns the weights [count, size] of the kernel of Keys (1981), scaled to sum to 1 where pixels are missing."""
    places = _places(count, size) - np.float32(0.5)
    lower = np.floor(places)
    offset = np.rint((places - lower) * _TABLE) / _TABLE
    weights = np.zeros((count, size))
    for step in (-1, 0, 1, 2):
        pixel, distance = (lower + step).astype(int), np.abs(offset - step)
        near = (1.5 * distance - 2.5) * distance**2 + 1
        far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
        there = (pixel >= 0) & (pixel < size)
        weights[np.arange(count)[there], pixel[there]] = np.where(distance <= 1, near, far)[there]
    return weights / weights.sum(axis=1, keepdims=True)
