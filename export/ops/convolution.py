"""Transposed convolutions, which are also the gradients of convolutions, cut to size as TensorFlow cuts them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import Builder


def transposed_convolution(graph: Any, node: Any) -> None:
    """Conv2DBackpropInput and Conv3DBackpropInputV2 (sizes, kernel [..., channels, filters], g), also in groups.

    Raises:
        ExportError: The shape of the kernel, or the number of channels, is not known when the graph is made.
    """
    build = _Spreading(graph, node)
    *window, channels, _ = build.kernel_shape
    kernel = build.transposed(build.inputs[1], [build.rank - 1, build.rank - 2, *range(build.rank - 2)])
    build.finish(kernel, window, build.channels // channels)


def depthwise_gradient(graph: Any, node: Any) -> None:
    """DepthwiseConv2dNativeBackpropInput (sizes, kernel [rows, columns, channels, multiplier], g).

    A transposed convolution of every channel with its own kernels.

    Raises:
        ExportError: The shape of the kernel is not known when the graph is made.
    """
    build = _Spreading(graph, node)
    rows, columns, channels, multiplier = build.kernel_shape
    kernel = build.transposed(build.inputs[1], [2, 3, 0, 1])
    kernel = build.op("Reshape", kernel, build.vector(channels * multiplier, 1, rows, columns))
    build.finish(kernel, [rows, columns], channels)


class _Spreading(Builder):
    """Builds what those here have in common: every number is spread by a kernel, and what lies over the edges cut off.

    tf2onnx puts the odd pixel of padding to the other side where it does not know the size of g, and pads negatively
    where a stride is larger than the kernel.
    """

    def __init__(self, graph: Any, node: Any):
        super().__init__(graph, node)
        self.kernel_shape = graph.get_shape(node.input[1]) or [-1]
        self.rank = len(self.kernel_shape)
        axes = list(range(self.rank))
        is_last = str(node.get_attr_str("data_format")).endswith("C")
        self.to_first, self.to_last = ([0, self.rank - 1, *axes[1:-1]], [0, *axes[2:], 1]) if is_last else (axes, axes)
        self.spatial = self.to_first[2:]
        sizes = graph.get_shape(node.output[0]) or [-1] * self.rank
        self.channels = sizes[self.to_first[1]]
        if min(*self.kernel_shape, self.channels) < 1:
            raise ExportError(
                f"{node.name}: a transposed convolution, or the gradient of one, is exported for a kernel of known "
                f"shape and a known number of channels, not {self.kernel_shape} and {self.channels}."
            )
        reached = graph.get_shape(node.input[2]) or [-1] * self.rank
        self.sizes, self.reached = ([shape[axis] for axis in self.spatial] for shape in (sizes, reached))
        ones = [1] * self.rank
        self.strides, self.dilations = (
            [node.get_attr_value(name, ones)[axis] for axis in self.spatial] for name in ("strides", "dilations")
        )
        self.same = node.get_attr_str("padding") == "SAME"
        explicit = list(node.get_attr_value("explicit_paddings", [])) or [0] * 2 * self.rank
        self.explicit = [(explicit[2 * axis], explicit[2 * axis + 1]) for axis in self.spatial]

    def finish(self, kernel: str, window: Sequence[int], groups: int) -> None:
        """Replaces the node.

        Args:
            kernel: [filters, channels of a group, ...].
            window: Its last sizes.
            groups: How many there are.
        """
        spans = [(size - 1) * dilation + 1 for size, dilation in zip(window, self.dilations, strict=True)]
        begin, end, left_over = zip(*map(self._padding, range(len(spans)), spans), strict=True)
        spread = self.op(
            "ConvTranspose",
            self.transposed(self.inputs[2], self.to_first),
            kernel,
            *self.inputs[3:],  # a bias that tf2onnx has put here
            kernel_shape=list(window),
            group=groups,
            strides=self.strides,
            dilations=self.dilations,
            pads=[*begin, *end],
            output_padding=list(left_over),
        )
        free = [place for place, size in enumerate(self.sizes) if size < 0]
        if free:
            spread = self._cut(spread, free, left_over)
        self.replace(self.transposed(spread, self.to_last))

    def _padding(self, place: int, span: int) -> tuple[int, int, int]:
        """Returns what is cut off before and after, and what no number reaches at the end.

        Of an axis of unknown size nothing is cut off yet, and there is as much at the end as there can be.
        """
        size, count, stride = self.sizes[place], self.reached[place], self.strides[place]
        before, after = self.explicit[place]
        if size < 0:
            return 0, 0, max(0, stride - span) if self.same else stride - 1
        if count < 0:
            count = -(-size // stride) if self.same else (size + before + after - span) // stride + 1
        full = (count - 1) * stride + span
        if self.same:
            before = max(0, full - size) // 2
        rest = full - before - size
        return before, max(0, rest), max(0, -rest)

    def _cut(self, spread: str, free: list[int], left_over: Sequence[int]) -> str:
        """Returns the part of axes of unknown size that is asked for."""
        asked = self.cast(self.inputs[0], TensorProto.INT64)
        sizes = self.op("Gather", asked, self.vector(*(self.spatial[place] for place in free)))
        axes = self.vector(*(place + 2 for place in free))
        start = self.vector(*(self.explicit[place][0] for place in free))
        if self.same:
            full = self.op("Gather", self.op("Shape", spread), axes)
            full = self.op("Sub", full, self.vector(*(left_over[place] for place in free)))
            total = self.op("Max", self.op("Sub", full, sizes), self.constant(0, np.int64))
            start = self.op("Div", total, self.constant(2, np.int64))
        return self.op("Slice", spread, start, self.op("Add", start, sizes), axes)
