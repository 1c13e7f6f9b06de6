"""Resizing images, and its gradients: mostly products with the matrices that resize rows and columns of known sizes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import Builder

_TO_FIRST, _TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]
_TABLE = 1024  # into so many parts TensorFlow divides the distance between two pixels, to look bicubic weights up


def resize_bilinear(graph: Any, node: Any) -> None:
    """ResizeBilinear (images, size): ONNX's Resize, by size where tf2onnx's scales would end a pixel short."""
    build = Builder(graph, node)
    mode = "align_corners" if _is_set(node, "align_corners") else "asymmetric"
    _resize(build, mode="linear", coordinate_transformation_mode="half_pixel" if _has_centres(node) else mode)


def resize_nearest(graph: Any, node: Any) -> None:
    """ResizeNearestNeighbor (images, size): the pixels that TensorFlow takes, where ONNX's Resize takes some others."""
    build, (images, resized) = Builder(graph, node), _sizes(graph, node.input[0], node.output[0])
    is_known = min(*images, *resized) > 0
    is_multiple = is_known and not any(count % size for count, size in zip(resized, images, strict=True))
    if is_known and _has_centres(node) and not is_multiple:
        rows, columns = (
            build.vector(*_nearest_places(count, size)) for count, size in zip(resized, images, strict=True)
        )
        build.replace(build.op("Gather", build.op("Gather", build.inputs[0], rows, axis=1), columns, axis=2))
    elif _is_set(node, "align_corners"):
        mode = {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_ceil"}
        _resize(build, mode="nearest", **mode)
    elif _has_centres(node) and not is_multiple:
        mode = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
        _resize(build, mode="nearest", **mode)
    else:
        _resize(build, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


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
    _multiply(graph, node, lambda size, count: np.eye(size)[_nearest_places(count, size)].T)


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


def _nearest_places(count: int, size: int) -> np.ndarray:
    """Returns which of `size` pixels is nearest to each of `count`."""
    return np.minimum(_places(count, size).astype(int), size - 1)


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
