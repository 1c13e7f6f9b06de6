"""Functions of single values: accurate to the last digits where the plain formula is not, exact for integers."""

from typing import Any

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.ops.build import SELU_ALPHA, SELU_SCALE, Builder

_COMPARISONS = {"Greater": "Greater", "GreaterEqual": "GreaterOrEqual", "Less": "Less", "LessEqual": "LessOrEqual"}
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
_HALVES = (TensorProto.BFLOAT16, TensorProto.FLOAT16)


def log(graph: Any, node: Any) -> None:
    """Log: in its own dtype, where tf2onnx rounds float64 to float32."""
    build = Builder(graph, node)
    build.replace(build.op("Log", *build.inputs))


def compare(graph: Any, node: Any) -> None:
    """Greater, GreaterEqual, Less and LessEqual: exact for integers, which tf2onnx rounds to float32.

    Raises:
        ExportError: The numbers are uint64.
    """
    build, dtype = Builder(graph, node), graph.get_dtype(node.input[0])
    if dtype == TensorProto.UINT64:
        raise ExportError(f"{node.name}: uint64 is not compared here. Cast to int64.")
    values = build.inputs
    if dtype not in _FLOATS:
        # Integers as int64, those too that are said to be: tf2onnx counts the turns of loops in it, without saying so.
        values = [build.cast(name, TensorProto.FLOAT if dtype in _HALVES else TensorProto.INT64) for name in values]
    build.replace(build.op(_COMPARISONS[node.type], *values))


def log1p(graph: Any, node: Any) -> None:
    """Log1p: log(1 + x), by Goldberg (1991), theorem 4: x log(u) / (u - 1) with u = 1 + x rounded.

    Where u = 1 the result is x, and where u is infinite it is log(u).
    """
    build = Builder(graph, node)
    build.replace(_log1p(build, build.inputs[0]))


def sigmoid(graph: Any, node: Any) -> None:
    """Sigmoid: e^x / (1 + e^x) where x < 0 and 1 / (1 + e^-x) elsewhere.

    ONNX Runtime's is off by up to 1e-7, and 0 below -18, of which a logarithm makes infinity. It is three times as
    quick, and stays in swish, x sigmoid(x), and its gradient, of which nobody takes one.
    """
    build = Builder(graph, node)
    (x,) = build.inputs
    if _in_swish(graph, node):
        build.replace(build.op("Sigmoid", x))
        return
    small = build.op("Exp", build.op("Neg", build.op("Abs", x)))
    top = build.choose("Less", x, 0.0, small, build.number(1))
    build.replace(build.op("Div", top, build.op("Add", small, build.number(1))))


def softplus(graph: Any, node: Any) -> None:
    """Softplus: log(1 + e^x); in float64 as max(x, 0) + log(1 + e^-|x|), as ONNX Runtime's loses small ones there."""
    build = Builder(graph, node)
    (x,) = build.inputs
    if build.dtype != np.float64:
        build.replace(build.op("Softplus", x))
        return
    small = build.op("Exp", build.op("Neg", build.op("Abs", x)))
    build.replace(build.op("Add", build.op("Max", x, build.number(0)), _log1p(build, small)))


def expm1(graph: Any, node: Any) -> None:
    """Expm1: exp(x) - 1, as 2 sinh(x/2) exp(x/2) for small |x|."""
    build = Builder(graph, node)
    (x,), one = build.inputs, build.number(1)
    half = build.op("Mul", x, build.number(0.5))
    clipped = build.op("Min", build.op("Max", half, build.number(-0.5)), build.number(0.5))
    # sinh(y) = y (1 + y^2/6 (1 + y^2/20 (1 + y^2/42 (1 + y^2/72 (1 + y^2/110))))), exact for |y| <= 1/2.
    square, series = build.op("Mul", clipped, clipped), build.number(1)
    for divisor in (156, 110, 72, 42, 20, 6):
        term = build.op("Mul", build.op("Div", square, build.number(divisor)), series)
        series = build.op("Add", one, term)
    sinh = build.op("Mul", clipped, series)
    small = build.op("Mul", build.op("Mul", build.number(2), sinh), build.op("Exp", clipped))
    large = build.op("Sub", build.op("Exp", x), one)
    build.replace(build.choose("LessOrEqual", build.op("Abs", half), 0.5, small, large))


def atan2(graph: Any, node: Any) -> None:
    """Atan2 (y, x): the angle of a point, also where both are infinite, or zeros with signs."""
    build = Builder(graph, node)
    y, x = build.inputs
    rise, run = build.op("Abs", y), build.op("Abs", x)
    # Equal ones are an eighth of a turn, infinite ones too; but for zeros.
    ratio = build.op("Where", build.op("Equal", rise, run), build.number(1), build.op("Div", rise, run))
    angle = build.op("Atan", build.choose("Equal", build.op("Add", rise, run), 0, build.number(0), ratio))
    angle = build.op("Where", _is_negative(build, x), build.op("Sub", build.number(np.pi), angle), angle)
    build.replace(build.op("Where", _is_negative(build, y), build.op("Neg", angle), angle))


def mul_no_nan(graph: Any, node: Any) -> None:
    """MulNoNan: x y, but 0 where y is 0, even if x is infinite or NaN."""
    build = Builder(graph, node)
    x, y = build.inputs
    # y y, not 0, has the shape that x y has where only y is as large.
    build.replace(build.choose("Equal", y, 0, build.op("Mul", y, y), build.op("Mul", x, y)))


def xlogy(graph: Any, node: Any) -> None:
    """Xlogy: x log(y), but 0 where x is 0."""
    build = Builder(graph, node)
    x, y = build.inputs
    build.replace(build.choose("Equal", x, 0, build.number(0), build.op("Mul", x, build.op("Log", y))))


def xlog1py(graph: Any, node: Any) -> None:
    """Xlog1py: x log(1 + y), but 0 where x is 0."""
    build = Builder(graph, node)
    x, y = build.inputs
    build.replace(build.choose("Equal", x, 0, build.number(0), build.op("Mul", x, _log1p(build, y))))


def xdivy(graph: Any, node: Any) -> None:
    """Xdivy: x / y, but 0 where x is 0."""
    build = Builder(graph, node)
    x, y = build.inputs
    build.replace(build.choose("Equal", x, 0, build.number(0), build.op("Div", x, y)))


def floor_div(graph: Any, node: Any) -> None:
    """FloorDiv: the quotient rounded down; tf2onnx rounds negative integers up."""
    build = Builder(graph, node)
    x, y = build.inputs
    if build.dtype.kind == "f":
        build.replace(build.op("Floor", build.op("Div", x, y)))
    else:
        quotient = _quotient(build, x, y)
        is_down = build.op("Equal", _left(build, x, y, quotient), _rest(build, x, y))
        build.replace(build.op("Where", is_down, quotient, build.op("Sub", quotient, build.number(1))))


def divide(graph: Any, node: Any) -> None:
    """Div: the quotient, of integers rounded to zero, as in C."""
    build = Builder(graph, node)
    x, y = build.inputs
    build.replace(build.op("Div", x, y) if build.dtype.kind == "f" else _quotient(build, x, y))


def truncate_div(graph: Any, node: Any) -> None:
    """TruncateDiv: the quotient rounded to zero, as in C, of floats too."""
    build = Builder(graph, node)
    x, y = build.inputs
    if build.dtype.kind != "f":
        build.replace(_quotient(build, x, y))
        return
    quotient = build.op("Div", x, y)
    build.replace(build.choose("Less", quotient, 0, build.op("Ceil", quotient), build.op("Floor", quotient)))


def floor_mod(graph: Any, node: Any) -> None:
    """FloorMod: what floor division leaves, with the sign of y; tf2onnx's has that of x for integers."""
    build = Builder(graph, node)
    x, y = build.inputs
    if build.dtype.kind != "f":
        build.replace(_rest(build, x, y))
        return
    rest, zero = build.op("Mod", x, y, fmod=1), build.number(0)
    differ = build.op("Xor", build.op("Less", rest, zero), build.op("Less", y, zero))
    moved = build.op("Where", differ, build.op("Add", rest, y), rest)
    build.replace(build.choose("Equal", rest, 0, rest, moved))


def truncate_mod(graph: Any, node: Any) -> None:
    """TruncateMod and Mod: what a division rounded to zero leaves, with the sign of x, as in C."""
    build = Builder(graph, node)
    x, y = build.inputs
    is_float = build.dtype.kind == "f"
    build.replace(build.op("Mod", x, y, fmod=1) if is_float else _left(build, x, y, _quotient(build, x, y)))


def _left(build: Builder, x: str, y: str, quotient: str) -> str:
    return build.op("Sub", x, build.op("Mul", quotient, y))


def _quotient(build: Builder, x: str, y: str) -> str:
    """Returns x / y of integers, rounded to zero."""
    quotient = build.op("Div", x, _divisor(build, y))
    if _divides_well(build, y):
        return quotient
    return build.choose("Equal", y, -1, build.op("Mul", x, build.number(-1)), quotient)


def _rest(build: Builder, x: str, y: str) -> str:
    """Returns what a division of integers, rounded down, leaves."""
    return build.op("Mod", x, _divisor(build, y))


def _divisor(build: Builder, y: str) -> str:
    """Returns y with 1 for -1, by which ONNX Runtime cannot divide the smallest integer: the process ends."""
    return y if _divides_well(build, y) else build.choose("Equal", y, -1, build.number(1), y)


def _divides_well(build: Builder, y: str) -> bool:
    given = build.graph.get_node_by_output(y)
    is_known = given is not None and given.is_const() and (given.get_tensor_value(as_list=False) != -1).all()
    # Smaller integers are divided as 32 bits are.
    return is_known or build.dtype not in (np.int32, np.int64)


def select(graph: Any, node: Any) -> None:
    """Select and SelectV2 (condition, x, y): x where the condition holds, else y, whatever the other one is."""
    build = Builder(graph, node)
    condition, x, y = build.inputs
    if node.type == "Select" and len(graph.get_shape(node.input[0])) == 1:
        # A vector chooses among the entries of the first axis.
        ones = [1] * (len(graph.get_shape(node.input[1])) - 1)
        condition = build.op("Reshape", condition, build.vector(-1, *ones))
    build.replace(build.op("Where", condition, x, y))


def reciprocal(graph: Any, node: Any) -> None:
    """Inv: 1 / x."""
    build = Builder(graph, node)
    build.replace(build.op("Reciprocal", *build.inputs))


def selu(graph: Any, node: Any) -> None:
    """Selu (Klambauer et al. 2017): scale x, or scale alpha (exp(x) - 1) below 0. ONNX keeps both as float32."""
    build = Builder(graph, node)
    (x,) = build.inputs
    if build.dtype.itemsize < 8:
        build.replace(build.op("Selu", x, alpha=SELU_ALPHA, gamma=SELU_SCALE))
        return
    below = build.op("Mul", build.op("Elu", x, alpha=1.0), build.number(SELU_ALPHA))
    build.replace(build.op("Mul", build.number(SELU_SCALE), build.choose("Less", x, 0, below, x)))


def _is_negative(build: Builder, x: str) -> str:
    """Returns where x is below 0, or is -0."""
    zero = build.number(0)
    is_below = build.op("Less", build.op("Reciprocal", x), zero)
    return build.op("Or", build.op("Less", x, zero), build.op("And", build.op("Equal", x, zero), is_below))


def _log1p(build: Builder, x: str) -> str:
    one = build.number(1)
    u = build.op("Add", one, x)
    log_u, difference = build.op("Log", u), build.op("Sub", u, one)
    is_one = build.op("Equal", u, one)
    safe = build.op("Where", is_one, one, difference)
    small = build.op("Where", is_one, x, build.op("Div", build.op("Mul", x, log_u), safe))
    return build.op("Where", build.op("Equal", u, x), log_u, small)


def _in_swish(graph: Any, node: Any) -> bool:
    """Returns whether a sigmoid is in x sigmoid(x) or x (1 - sigmoid(x)), and in sums and products alone."""

    def factors(name: str) -> set[str]:
        """Returns what a value is the product of; TensorFlow's swish has sigmoid(beta x)."""
        made = graph.get_node_by_output(name)
        return {name, *made.input} if made is not None and made.type == "Mul" else {name}

    users = graph.find_output_consumers(node.output[0])
    beyond = [each for user in users if user.type == "Sub" for each in graph.find_output_consumers(user.output[0])]
    of_sigmoid = {output for each in (node, *users) for output in each.output}
    others = {
        factor
        for each in (*users, *beyond)
        if each.type == "Mul"
        for value in set(each.input) - of_sigmoid
        for factor in factors(value)
    }
    variables = {name for name in factors(node.input[0]) if not graph.is_const(name)}
    return bool(variables & others) and all(user.type in ("Mul", "Sub", "SigmoidGrad") for user in users)
