"""Gradients of pooling, for images [batch, height, width, channels] whose last three sizes are known."""

from typing import Any

import numpy as np
from tf2onnx import utils

from export.errors import ExportError
from export.ops.build import Builder

_TO_FIRST, _TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def avg_pool_grad(graph: Any, node: Any) -> None:
    """AvgPoolGrad (shape, g): each g is shared out among the pixels of its window.

    A transposed convolution of every channel with ones; windows that lie over the edge have fewer pixels to share.

    Raises:
        ExportError: The images are of unknown size, or channels come first.
    """
    build = _Pooling(graph, node)
    g, (height, width, channels) = build.inputs[1], build.sizes(node.output[0])
    counts = build.counts(height, width)
    g = build.op("Div", g, build.constant(counts[None, :, :, None], build.dtype))
    g = build.op("Transpose", g, perm=_TO_FIRST)
    ones = build.constant(np.ones((channels, 1, *build.window)), build.dtype)
    (top, rows), (left, columns) = (build.padding(size, axis) for axis, size in enumerate((height, width)))
    # What a strided window leaves over at the end is not reached by it.
    left_over = [
        size + sum(pads) - ((count - 1) * stride + window)
        for size, pads, count, stride, window in zip(
            (height, width), ((top, rows), (left, columns)), counts.shape, build.strides, build.window, strict=True
        )
    ]
    pixels = build.op(
        "ConvTranspose",
        g,
        ones,
        group=channels,
        strides=build.strides,
        pads=[top, left, rows, columns],
        output_padding=left_over,
    )
    build.replace(build.op("Transpose", pixels, perm=_TO_LAST))


def max_pool_grad(graph: Any, node: Any) -> None:
    """MaxPoolGrad (x, y, g): each g goes to the first of the largest pixels of its window.

    Raises:
        ExportError: The images are of unknown size, or channels come first.
    """
    build = _Pooling(graph, node)
    x, g, (height, width, _) = build.inputs[0], build.inputs[2], build.sizes(node.output[0])
    (top, rows), (left, columns) = (build.padding(size, axis) for axis, size in enumerate((height, width)))
    first = build.op("Transpose", x, perm=_TO_FIRST)
    pads = [top, left, rows, columns]
    pooled = graph.make_node(
        "MaxPool",
        [first],
        attr={"kernel_shape": build.window, "strides": build.strides, "pads": pads},
        output_count=2,
    )
    flat = build.constant([-1], np.int64)
    # The places are of the flattened images; one pixel may be the largest of several windows.
    places = build.op("Reshape", pooled.output[1], flat)
    values = build.op("Reshape", build.op("Transpose", g, perm=_TO_FIRST), flat)
    shape = build.op("Shape", first)
    zero = utils.make_name(f"{node.name}_zero")
    zeros = build.op("Expand", graph.make_const(zero, np.zeros(1, build.dtype)).output[0], build.size_of(shape))
    scattered = build.op("ScatterElements", zeros, places, values, axis=0, reduction="add")
    build.replace(build.op("Transpose", build.op("Reshape", scattered, shape), perm=_TO_LAST))


class _Pooling(Builder):
    """Builds what those here have in common."""

    def __init__(self, graph: Any, node: Any):
        super().__init__(graph, node)
        if node.get_attr_value("data_format", b"NHWC") not in (b"NHWC", "NHWC"):
            raise ExportError(f"{node.name}: gradients of pooling are exported for channels that come last.")
        self.window, self.strides = (list(node.get_attr_value(name))[1:3] for name in ("ksize", "strides"))
        padding = node.get_attr_value("padding")
        self.same = padding in (b"SAME", "SAME")
        given = list(node.get_attr_value("explicit_paddings", [])) or [0] * 8
        self.explicit = given[2:4], given[4:6]  # of rows and columns, before and after

    def sizes(self, value: str) -> tuple[int, int, int]:
        """Returns height, width and channels of images."""
        shape = self.graph.get_shape(value) or []
        if len(shape) != 4 or min(shape[1:]) < 1:
            raise ExportError(
                f"{self.node.name}: the gradient of pooling is exported for images of known size only, not {shape}."
            )
        return shape[1], shape[2], shape[3]

    def padding(self, size: int, axis: int) -> tuple[int, int]:
        """Returns the pixels added before and after, as TensorFlow does: one more after, or as many as are given."""
        if not self.same:
            return self.explicit[axis][0], self.explicit[axis][1]
        stride, window = self.strides[axis], self.window[axis]
        total = max(0, (-(-size // stride) - 1) * stride + window - size)
        return total // 2, total - total // 2

    def counts(self, height: int, width: int) -> np.ndarray:
        """Returns how many pixels of the image each window holds, [rows, columns]."""
        lengths = []
        for axis, size in enumerate((height, width)):
            before, after = self.padding(size, axis)
            windows = (size + before + after - self.window[axis]) // self.strides[axis] + 1
            starts = np.arange(windows) * self.strides[axis] - before
            lengths.append(np.minimum(starts + self.window[axis], size) - np.maximum(starts, 0))
        return np.outer(*lengths)

    def size_of(self, shape: str) -> str:
        """Returns the product of a shape, as a vector of one."""
        return self.op("ReduceProd", shape, self.constant([0], np.int64), keepdims=1)
