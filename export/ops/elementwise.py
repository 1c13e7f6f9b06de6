"""Functions of single values, accurate to the last digits where the plain formula is not."""

from typing import Any

import numpy as np
from tf2onnx import utils

from export.ops.build import Builder


def log1p(graph: Any, node: Any) -> None:
    """Log1p: log(1 + x), by Goldberg (1991), theorem 4: x log(u) / (u - 1) with u = 1 + x rounded.

    Where u = 1 the result is x, and where u is infinite it is log(u).
    """
    build = Builder(graph, node)
    (x,), dtype = build.inputs, _dtype(node)
    one = build.constant(1, dtype)
    u = build.op("Add", one, x)
    log_u, difference = build.op("Log", u), build.op("Sub", u, one)
    is_one = build.op("Equal", u, one)
    safe = build.op("Where", is_one, one, difference)
    small = build.op("Where", is_one, x, build.op("Div", build.op("Mul", x, log_u), safe))
    build.replace(build.op("Where", build.op("Equal", u, x), log_u, small))


def expm1(graph: Any, node: Any) -> None:
    """Expm1: exp(x) - 1, as 2 sinh(x/2) exp(x/2) for small |x|."""
    build = Builder(graph, node)
    (x,), dtype = build.inputs, _dtype(node)
    half = build.op("Mul", x, build.constant(0.5, dtype))
    clipped = build.op("Min", build.op("Max", half, build.constant(-0.5, dtype)), build.constant(0.5, dtype))
    # sinh(y) = y (1 + y^2/6 (1 + y^2/20 (1 + y^2/42 (1 + y^2/72 (1 + y^2/110))))), exact for |y| <= 1/2.
    square = build.op("Mul", clipped, clipped)
    one, series = build.constant(1, dtype), build.constant(1, dtype)
    for divisor in (156, 110, 72, 42, 20, 6):
        term = build.op("Mul", build.op("Div", square, build.constant(divisor, dtype)), series)
        series = build.op("Add", one, term)
    sinh = build.op("Mul", clipped, series)
    small = build.op("Mul", build.op("Mul", build.constant(2, dtype), sinh), build.op("Exp", clipped))
    large = build.op("Sub", build.op("Exp", x), one)
    is_small = build.op("LessOrEqual", build.op("Abs", half), build.constant(0.5, dtype))
    build.replace(build.op("Where", is_small, small, large))


def mul_no_nan(graph: Any, node: Any) -> None:
    """MulNoNan: x * y, but 0 where y is 0, even if x is infinite or NaN."""
    build = Builder(graph, node)
    (x, y), zero = build.inputs, build.constant(0, _dtype(node))
    product = build.op("Mul", x, y)
    build.replace(build.op("Where", build.op("Equal", y, zero), build.op("Mul", y, y), product))


def _dtype(node: Any) -> np.dtype:
    return np.dtype(utils.map_onnx_to_numpy_type(node.output_dtypes[0]))
