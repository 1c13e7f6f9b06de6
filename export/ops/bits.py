"""Shifts of bits, which ONNX has of unsigned integers and tf2onnx of 32 bits alone, and the bits of floats."""

import functools
import math
from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
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


def bitcast(graph: Any, node: Any) -> None:
    """Bitcast: the bits of float32 as int32, from sign, power of two and fraction, all exact in float64.

    Raises:
        ExportError: Other dtypes are asked for.
    """
    build = Builder(graph, node)
    if (graph.get_dtype(node.input[0]), node.output_dtypes[0]) != (TensorProto.FLOAT, TensorProto.INT32):
        raise ExportError(f"{node.name}: only float32 is exported as the bits of another dtype, which is int32.")
    (x,), zero = build.inputs, build.constant(0, np.float32)
    # Of the two zeros, 1 / x tells which it is.
    signed = build.op("Where", build.op("Equal", x, zero), build.op("Reciprocal", x), x)
    wide = functools.partial(build.constant, dtype=np.float64)
    size = build.cast(build.op("Abs", x), TensorProto.DOUBLE)
    # The smallest normal number, 2^-126, has the power 1; what is smaller has 0, and no leading 1 in its fraction.
    normal = build.op("Min", build.op("Max", size, wide(2.0**-126)), wide(2.0**127))
    power = build.op("Floor", build.op("Div", build.op("Log", normal), wide(math.log(2))))
    part = build.op("Div", normal, build.op("Pow", wide(2), power))
    # The logarithm is rounded, so that the power may be one too small or too large.
    power = build.op("Add", power, build.cast(build.op("GreaterOrEqual", part, wide(2)), TensorProto.DOUBLE))
    power = build.op("Sub", power, build.cast(build.op("Less", part, wide(1)), TensorProto.DOUBLE))
    fraction = build.op("Div", size, build.op("Pow", wide(2), power))
    found = build.op("Mul", build.op("Add", build.op("Add", power, wide(126)), fraction), wide(2**23))
    found = build.op("Where", build.op("IsInf", size), wide(0x7F800000), found)
    found = build.op("Where", build.op("IsNaN", size), wide(0x7FC00000), found)
    found = build.op("Sub", found, build.op("Where", build.op("Less", signed, zero), wide(2**31), wide(0)))
    build.replace(build.cast(found, TensorProto.INT32))


def _shifted(build: Builder, x: str, direction: str) -> str:
    """Returns x shifted as 64 bits without a sign, in its own dtype."""
    bits, count = (build.cast(value, TensorProto.UINT64) for value in (x, build.inputs[1]))
    return build.cast(build.op("BitShift", bits, count, direction=direction), build.node.output_dtypes[0])
