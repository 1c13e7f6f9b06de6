"""Gradients of resizing images, whose sizes are known: products with the matrices that resize rows and columns."""

from typing import Any

import numpy as np

from export.errors import ExportError
from export.ops.build import Builder


def resize_bilinear_grad(graph: Any, node: Any) -> None:
    """ResizeBilinearGrad (g, images): each g is shared out among the four pixels that it is between.

    Raises:
        ExportError: Sizes are not known when the graph is made, or pixels do not lie at their centres.
    """
    _resize_grad(graph, node, _between)


def resize_nearest_grad(graph: Any, node: Any) -> None:
    """ResizeNearestNeighborGrad (g, size): each g goes to the pixel that it was copied from.

    Raises:
        ExportError: Sizes are not known when the graph is made, or pixels do not lie at their centres.
    """
    _resize_grad(graph, node, _nearest)


def _resize_grad(graph: Any, node: Any, weights: Any) -> None:
    build = Builder(graph, node)
    resized, images = (graph.get_shape(value) or [] for value in (node.input[0], node.output[0]))
    if len(resized) != 4 or len(images) != 4 or min(*resized[1:3], *images[1:3]) < 1:
        raise ExportError(f"{node.name}: gradients of resizing are exported for images of known size only.")
    if node.get_attr_value("align_corners", 0) or not node.get_attr_value("half_pixel_centers", 0):
        raise ExportError(f"{node.name}: gradients of resizing are exported for half_pixel_centers only.")
    # TensorFlow's bilinear images are float32, whatever they are made of.
    g = build.op("Transpose", build.cast(build.inputs[0], node.output_dtypes[0]), perm=[0, 3, 1, 2])
    rows, columns = (
        build.constant(weights(count, size), build.dtype) for count, size in zip(resized[1:3], images[1:3], strict=True)
    )
    g = build.op("MatMul", build.op("Transpose", rows, perm=[1, 0]), build.op("MatMul", g, columns))
    build.replace(build.op("Transpose", g, perm=[0, 2, 3, 1]))


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


def _nearest(count: int, size: int) -> np.ndarray:
    """Returns the weights [count, size] of the nearest pixel."""
    return np.eye(size)[np.minimum(_places(count, size).astype(int), size - 1)]
