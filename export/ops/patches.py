"""Patches of images."""

from typing import Any

import numpy as np

from export.errors import ExportError
from export.ops.build import Builder


def extract_image_patches(graph: Any, node: Any) -> None:
    """ExtractImagePatches (images): rows and columns are looked up by their places, where tf2onnx knows few sizes.

    Raises:
        ExportError: The images are of unknown size.
    """
    build = Builder(graph, node)
    shape = graph.get_shape(node.input[0]) or []
    if len(shape) != 4 or min(shape[1:]) < 1:
        raise ExportError(
            f"{node.name}: patches are exported for images of known size only, not {shape}; keras.ops.image."
            "extract_patches, which is a convolution, takes any"
        )
    window, strides, rates = (list(node.get_attr_value(name))[1:3] for name in ("ksizes", "strides", "rates"))
    same = node.get_attr_str("padding") == "SAME"
    places, pads = [], []
    for size, count, stride, rate in zip(shape[1:3], window, strides, rates, strict=True):
        span = (count - 1) * rate + 1
        patches = -(-size // stride) if same else (size - span) // stride + 1
        total = max(0, (patches - 1) * stride + span - size) if same else 0
        pads.append((total // 2, total - total // 2))
        places.append(np.arange(patches)[:, None] * stride + np.arange(count) * rate)
    images = build.inputs[0]
    if np.any(pads):
        (top, bottom), (left, right) = pads
        images = build.op("Pad", images, build.vector(0, top, left, 0, 0, bottom, right, 0))
    rows, columns = (build.constant(each, np.int64) for each in places)
    picked = build.op("Gather", build.op("Gather", images, rows, axis=1), columns, axis=3)
    picked = build.op("Transpose", picked, perm=[0, 1, 3, 2, 4, 5])
    sizes = len(places[0]), len(places[1]), window[0] * window[1] * shape[3]
    build.replace(build.op("Reshape", picked, build.vector(-1, *sizes)))
