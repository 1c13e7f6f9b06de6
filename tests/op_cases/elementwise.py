"""Functions of single values."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input

ENDS = (np.inf, -np.inf)
NEAR_ZERO = (0.0, -0.0, 1e-30, 1e-8, -1e-8, 1e-4)
NOT_NUMBERS = (0.0, 1.0, -1.0, np.inf, np.nan)
# Near powers of two, the largest and the smallest floats, and some that are not normal.
BINADES = (0.99999994, 1.9999999, 2.0, 8.0, -0.125, 3.4028235e38, -1.7014118e38, 1.1754944e-38, 1.1754942e-38, -1e-45)
WHOLE = (1, -1, 3, -3, 2, 7, 5, -5, 4, -4, 6, 8)
INTEGERS = ("int32", "int64")
# Numbers of 64 bits of which 32 are alike, compared by the others: ONNX Runtime takes some for negative.
HALVES = (0, 1, -1, 2**31, 2**31 - 1, 2**32 - 1, 3 * 10**9, -(2**31) - 1, -(2**32), 2**40, 2**40 + 2**31, 2**63 - 1)
COMPARISONS = ("Greater", "GreaterEqual", "Less", "LessEqual")


def one(op: str, low: float = -8, high: float = 8, edges: tuple = (), argument: str = "x", **options: Any) -> Case:
    """A function of one value, at edges, NaN and between."""
    options = {"scale": 0.0, **options}
    given = Input(("batch", "rows", 48), low, high, (*edges, np.nan))
    return Case(op, lambda x: getattr(tf.raw_ops, op)(**{argument: x}), (given,), **options)


def two(op: str, low: float = -8, high: float = 8, edges: tuple = NOT_NUMBERS, **options: Any) -> Case:
    """A function of two values that are broadcast, at every pair of edges."""
    options = {"scale": 0.0, **options}
    given = Input(("batch", 12, 1), low, high, edges), Input((12,), low, high, edges)
    return Case(op, lambda x, y: getattr(tf.raw_ops, op)(x=x, y=y), given, **options)


def smallest(op: str) -> list[Case]:
    """Divisions of and by integers near the ends, where a runtime that divides the smallest by -1 ends its process."""
    return [
        two(op, edges=(-end, -1, end - 1, 1 - end, *WHOLE[:8]), dtypes=(dtype,), name=f"at the ends of {dtype}")
        for dtype, end in (("int32", 2**31), ("int64", 2**63))
    ]


CASES = [
    # Those that handlers of our own convert.
    one("Log", 0, 60, (0.0, -0.0, -1.0, *ENDS)),
    one("Log1p", -1, 80, (*NEAR_ZERO, -1.0, -1.5, *ENDS)),
    one("Expm1", -60, 80, (*NEAR_ZERO, -3.0, -1.01, -1.0, 1.0, 1.01, *ENDS)),
    one("Erf", -7, 7, NEAR_ZERO),  # TensorFlow's is NaN at infinity
    one("Erfc", -7, 9, (*NEAR_ZERO, *ENDS), eps=60),
    one("Lgamma", -6, 30, (0.5, 1.0, 2.0, 0.0, -1.0, 1e-6, 1e4, *ENDS), scale=1, eps=40),
    one("Digamma", -6, 30, (0.5, 1.0, 2.0, 0.0, -1.0, -3.0, 1e-6, 1e4), scale=1, eps=40),
    one("Sigmoid", -60, 60, (0.0, -20.0, -40.0, *ENDS), scale=0, eps=32),
    one("Softplus", -60, 60, (0.0, -20.0, -40.0, *ENDS), "features", scale=0, eps=32),
    one("Selu", edges=(*NEAR_ZERO, *ENDS), argument="features"),
    one("Inv", edges=(0.0, -0.0, *ENDS)),
    two("Atan2", edges=(*NOT_NUMBERS, -0.0, -np.inf, 1e-30, 3e7), eps=16, lacks="Atan"),
    two("MulNoNan"),
    two("Xlogy", 0),
    two("Xlog1py", 0, edges=(*NOT_NUMBERS, 1e-8)),
    two("Xdivy"),
    two("Maximum", edges=(*NOT_NUMBERS, -np.inf)),
    two("Maximum", 2**26, 2**26 + 99, (), dtypes=INTEGERS, name="large integers"),
    two("Minimum", edges=(*NOT_NUMBERS, -np.inf)),
    two("Minimum", 2**26, 2**26 + 99, (), dtypes=INTEGERS, name="large integers"),
    *(two(op, edges=HALVES, dtypes=("int64",), name="halves") for op in ("Maximum", "Minimum")),
    *(
        Case(
            op,
            lambda x, op=op: getattr(tf.raw_ops, op)(**{"x" if op == "Sign" else "features": x}),
            (Input(("batch", 12), edges=HALVES),),
            "halves",
            ("int64",),
        )
        for op in ("Relu", "Relu6", "Sign")
    ),
    *(
        Case(
            "ClipByValue",
            lambda x, low=low, high=high: tf.raw_ops.ClipByValue(t=x, clip_value_min=low, clip_value_max=high),
            (Input(("batch", 12), edges=HALVES),),
            f"{low} to {high}",
            ("int64",),
        )
        for low, high in ((0, 10**12), (-(2**32), 2**31))
    ),
    two("FloorDiv", edges=(1.0, -1.0)),
    two("FloorDiv", edges=WHOLE, dtypes=INTEGERS, name="integers"),
    *smallest("FloorDiv"),
    two("FloorMod", edges=(1.0, -1.0)),
    two("FloorMod", edges=WHOLE, dtypes=INTEGERS, name="integers"),
    *smallest("FloorMod"),
    two("TruncateMod", edges=(1.0, -1.0)),
    two("TruncateMod", edges=WHOLE, dtypes=INTEGERS, name="integers"),
    *smallest("TruncateMod"),
    two("TruncateDiv", edges=(1.0, -1.0, 0.5, np.inf)),
    two("TruncateDiv", edges=WHOLE, dtypes=INTEGERS, name="integers"),
    two("Div", edges=WHOLE, dtypes=INTEGERS),
    *smallest("Div"),
    *smallest("TruncateDiv"),
    two("Mod", edges=(1.0, -1.0)),
    *(two(op) for op in COMPARISONS),
    *(two(op, 2**26, 2**26 + 99, (), dtypes=INTEGERS, name="large integers") for op in COMPARISONS),
    *(two(op, 2**55, 2**55 + 99, (), dtypes=("int64",), name="integers beyond float64") for op in COMPARISONS),
    *(two(op, 0, 99, (), dtypes=("int8", "uint8", "int16", "uint16", "uint32"), name="others") for op in COMPARISONS),
    # tf2onnx's.
    one("Abs", edges=(0.0, -0.0, *ENDS)),
    one("Acos", -1, 1, lacks="Acos"),
    one("Acosh", 1, 9, eps=32, lacks="Acosh"),
    one("Asin", -1, 1, lacks="Asin"),
    one("Asinh", eps=32, lacks="Asinh"),
    one("Atan", lacks="Atan"),
    one("Atanh", -1, 1, eps=32, lacks="Atanh"),
    one("Ceil", edges=(0.0, *ENDS)),
    one("Cos", scale=1),
    one("Cosh", lacks="Cosh"),
    one("Elu", edges=(*NEAR_ZERO, *ENDS), argument="features"),
    one("Exp", -60, 60, (0.0, *ENDS)),
    one("Floor", edges=(0.0, *ENDS)),
    one("IsFinite", edges=ENDS),
    one("IsInf", edges=ENDS),
    one("IsNan", edges=ENDS),
    one("LeakyRelu", edges=(0.0, *ENDS), argument="features"),
    one("Neg", edges=(0.0, *ENDS)),
    one("OnesLike"),
    one("Reciprocal", edges=(0.0, -0.0, *ENDS)),
    one("Relu", edges=(0.0, *ENDS), argument="features"),
    one("Relu6", edges=(0.0, 6.0, *ENDS), argument="features"),
    one("Rint", edges=(0.5, 1.5, 2.5, -0.5, *ENDS)),
    one("Round", edges=(0.5, 1.5, 2.5, -0.5, *ENDS)),
    one("Rsqrt", 0, 60, (0.0, -0.0, -1.0, *ENDS)),
    one("Sign", edges=(0.0, *ENDS)),
    one("Sin", scale=1),
    one("Sinh", eps=32, lacks="Sinh"),
    one("Softsign", -60, 60, (0.0,), "features"),
    one("Sqrt", 0, 60, (0.0, -0.0, -1.0, *ENDS)),
    one("Square", edges=ENDS),
    one("Tan", -1.5, 1.5, lacks="Tan"),
    one("Tanh", -20, 20, (*NEAR_ZERO, *ENDS)),
    one("ZerosLike"),
    two("Add"),
    two("AddV2"),
    two("DivNoNan"),
    two("Equal"),
    two("Mul"),
    two("NotEqual"),
    two("Pow", 0, 4, (0.0, 1.0, np.inf), eps=32),
    two("RealDiv"),
    two("SquaredDifference", scale=None),
    two("Sub", scale=None, edges=()),
    *(two(op, 0, 2**31 - 1, (), dtypes=INTEGERS) for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")),
    *(
        Case(
            op,
            lambda x, count, op=op: getattr(tf.raw_ops, op)(
                x=x, y=tf.math.mod(tf.cast(count, x.dtype), 8 * x.dtype.size)
            ),
            [Input(("batch", "rows", 9), -(2**31), 2**31 - 1), Input(("rows", 1), 0, 64, dtype="int32")],
            dtypes=(*INTEGERS, "uint32", "uint64"),
        )
        for op in ("LeftShift", "RightShift")
    ),
    *(
        Case(op, lambda x, y, op=op: getattr(tf.raw_ops, op)(x=x > 0, y=y > 0), [Input(), Input(("rows", 1))])
        for op in ("LogicalAnd", "LogicalOr")
    ),
    Case("LogicalNot", lambda x: tf.logical_not(x > 0)),
    Case(
        "Bitcast",
        lambda x: [tf.bitcast(x, tf.int32), keras.ops.argmax(x, -1)],
        [Input(("batch", "rows", 60), -9, 9, (*NOT_NUMBERS, *NEAR_ZERO, *ENDS, *BINADES))],
        dtypes=("float32",),
    ),
]
