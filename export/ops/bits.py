"""Shifts of bits, which ONNX has of unsigned integers and tf2onnx of 32 bits alone."""

from typing import Any

from onnx import TensorProto

from export.ops.build import Builder


def left_shift(graph: Any, node: Any) -> None:
    """LeftShift (x, count): x 2^count, less the bits that are shifted out."""
    build = Builder(graph, node)
    build.replace(_shifted(build, build.inputs[0], "LEFT"))


def right_shift(graph: Any, node: Any) -> None:
    """RightShift (x, count): x / 2^count rounded down: of a negative x, the bits are turned over before and after."""
    build = Builder(graph, node)
    x = build.inputs[0]
    if build.dtype.kind == "u":
        build.replace(_shifted(build, x, "RIGHT"))
        return
    is_negative = build.op("Less", x, build.number(0))
    rest = _shifted(build, build.op("Where", is_negative, build.op("BitwiseNot", x), x), "RIGHT")
    build.replace(build.op("Where", is_negative, build.op("BitwiseNot", rest), rest))


def _shifted(build: Builder, x: str, direction: str) -> str:
    """Returns x shifted as 64 bits without a sign, in its own dtype."""
    bits, count = (build.cast(value, TensorProto.UINT64) for value in (x, build.inputs[1]))
    return build.cast(build.op("BitShift", bits, count, direction=direction), build.node.output_dtypes[0])
