"""Gradients of convolutions that tf2onnx lacks."""

from typing import Any

from export.errors import ExportError
from export.ops.build import Builder

_TO_FIRST, _TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def depthwise_gradient(graph: Any, node: Any) -> None:
    """DepthwiseConv2dNativeBackpropInput (shape, kernel [rows, columns, channels, multiplier], g), channels last.

    A transposed convolution of every channel with its own kernels.

    Raises:
        ExportError: Sizes are not known when the graph is made, or channels come first.
    """
    build = Builder(graph, node)
    _, kernel, g = build.inputs
    shape, sizes, reached = (graph.get_shape(value) or [] for value in (node.input[1], node.output[0], node.input[2]))
    known = len(shape) == 4 and len(sizes) == 4 and min(*shape, *sizes[1:], *reached[1:]) > 0
    if not known or node.get_attr_value("data_format", b"NHWC") not in (b"NHWC", "NHWC"):
        raise ExportError(
            f"{node.name}: the gradient of a depthwise convolution is exported for images of known size, channels last."
        )
    rows, columns, channels, multiplier = shape
    strides, dilations = (list(node.get_attr_value(name, [1, 1, 1, 1]))[1:3] for name in ("strides", "dilations"))
    same = node.get_attr_value("padding") in (b"SAME", "SAME")
    begin, end, left_over = [], [], []
    for size, count, window, stride, dilation in zip(
        sizes[1:3], reached[1:3], (rows, columns), strides, dilations, strict=True
    ):
        span = (count - 1) * stride + (window - 1) * dilation + 1
        total = max(0, span - size) if same else 0
        begin.append(total // 2)
        end.append(total - total // 2)
        left_over.append(max(0, size - span + total))
    # [rows, columns, channels, multiplier] becomes [channels * multiplier, 1, rows, columns].
    kernel = build.op("Transpose", kernel, perm=[2, 3, 0, 1])
    kernel = build.op("Reshape", kernel, build.constant([channels * multiplier, 1, rows, columns], "int64"))
    pixels = build.op(
        "ConvTranspose",
        build.op("Transpose", g, perm=_TO_FIRST),
        kernel,
        group=channels,
        strides=strides,
        dilations=dilations,
        pads=[*begin, *end],
        output_padding=left_over,
    )
    build.replace(build.op("Transpose", pixels, perm=_TO_LAST))
