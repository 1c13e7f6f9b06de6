"""Functions of single values."""

import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input

INFINITE = (np.inf, -np.inf)
ZERO = (0.0, -0.0)


def _one(op, low=-8.0, high=8.0, edges=(), eps=8.0, scale=0.0, name=None, function=None, **more):
    """A function of one value; `name` is that of the op's argument where it is not `x`."""
    call = function or (lambda x: getattr(tf.raw_ops, op)(**{name or "x": x}))
    draws = Input(("batch", "rows", 48), low, high, (*edges, np.nan))
    return Case(op, call, (draws,), eps=eps, scale=scale, **more)


def _two(op, low=-8.0, high=8.0, edges=(), eps=8.0, scale=0.0, function=None, **more):
    """A function of two values, at every pair of edges."""
    call = function or (lambda x, y: getattr(tf.raw_ops, op)(x=x, y=y))
    draws = Input(("batch", 12, 1), low, high, edges), Input((12,), low, high, edges)
    return Case(op, call, draws, eps=eps, scale=scale, **more)


TINY = (1e-30, 1e-8, -1e-8, 1e-4)

CASES = [
    _one("Log1p", -1, 80, (*ZERO, *TINY, -1.0, -1.5, *INFINITE)),
    _one("Expm1", -60, 80, (*ZERO, *TINY, -3.0, -1.01, -1.0, 1.0, 1.01, *INFINITE)),
    _one("Erf", -7, 7, (*ZERO, *TINY)),
    _one("Erfc", -7, 9, (*ZERO, *TINY, *INFINITE), eps=60),
    _one("Erfinv", -1, 1, (*ZERO, *TINY, 1.0, -1.0, 1.5), eps=16),
    _one("Ndtri", 0, 1, (0.5, 1e-6, 1e-3, 0.0, 1.0, -0.5), eps=32),
    _one("Lgamma", -6, 30, (0.5, 1.0, 2.0, 0.0, -1.0, 1e-6, 1e4, *INFINITE), scale=1,eps=16),
    _one("Digamma", -6, 30, (0.5, 1.0, 2.0, 0.0,-1.0,-3.0,1e-6, 1e4), scale=1,eps=16),
    _one("Exp", -60, 60, (*ZERO, *INFINITE)),
    _one("Log", 0, 60, (*ZERO, -1.0, *INFINITE)),
    _one("Sigmoid", -60, 60, (*ZERO, *INFINITE), scale=1),
    _one("Tanh", -20, 20, (*ZERO, *TINY, *INFINITE)),
    _one("Softplus", -60, 60, (*ZERO, *INFINITE), name="features",scale=1),
    _one("Softsign", -60, 60, (*ZERO, ), name="features"),
    _one("Rsqrt", 0, 60, (*ZERO, -1.0, *INFINITE)),
    _one("Sqrt", 0, 60, (*ZERO, -1.0, *INFINITE)),
    _one("Square"),
    _one("Reciprocal", edges=(*ZERO, *INFINITE)),
    _one("Inv", edges=(*ZERO, *INFINITE)),
    _one("Sign", edges=(*ZERO, *INFINITE)),
    _one("Abs", edges=(*ZERO, *INFINITE)),
    _one("Neg", edges=(*ZERO, *INFINITE)),
    _one("Floor", edges=(*ZERO, *INFINITE)),
    _one("Ceil", edges=(*ZERO, *INFINITE)),
    _one("Round", edges=(*ZERO, 0.5, 1.5, 2.5, -0.5, *INFINITE)),
    _one("Rint", edges=(*ZERO, 0.5, 1.5, 2.5, -0.5, *INFINITE)),
    _one("Sin",scale=1), _one("Cos",scale=1), _one("Tan", -1.5, 1.5), _one("Asin", -1, 1), _one("Acos", -1, 1), _one("Atan"),
    _one("Sinh", eps=32), _one("Cosh"), _one("Asinh", eps=32), _one("Acosh", 1, 9, eps=32), _one("Atanh", -1, 1, eps=32),
    _one("IsNan", edges=INFINITE), _one("IsInf", edges=INFINITE), _one("IsFinite", edges=INFINITE),
    _one("Relu", edges=(*ZERO, *INFINITE), name="features"),
    _one("Relu6", edges=(*ZERO, 6.0, *INFINITE), name="features"),
    _one("Elu", edges=(*ZERO, *TINY,*INFINITE), name="features"),
    _one("Selu", edges=(*ZERO, *TINY,*INFINITE), name="features"),
    _one("LeakyRelu", edges=(*ZERO, *INFINITE), name="features"),
    _one("ZerosLike"), _one("OnesLike"), 
    _two("Xlogy", 0, 8, (0.0, 1.0, np.inf, -1.0, np.nan)),
    _two("Xlog1py", 0, 8, (0.0, 1.0, np.inf, -1.0, 1e-8, np.nan)),
    _two("Xdivy", edges=(0.0, 1.0, np.inf, -1.0, np.nan)),
    _two("MulNoNan", edges=(0.0, 1.0, np.inf, -1.0, np.nan)),
    _two("DivNoNan", edges=(0.0, 1.0, np.inf, -1.0, np.nan)),
    _two("Maximum", edges=(0.0, 1.0, np.inf, -np.inf,np.nan)),
    _two("Minimum", edges=(0.0, 1.0, np.inf, -np.inf,np.nan)),
    _two("SquaredDifference"),
    _two("FloorDiv", edges=(1.0, -1.0)), _two("FloorMod", edges=(1.0, -1.0)), _two("TruncateMod", edges=(1.0, -1.0)),
    _two("Mod", edges=(1.0, -1.0)),
    _two("FloorDiv", -9,9,edges=(1, -1, 3,-3,2,7,5,-5,4,-4,6,8),dtypes=('int32','int64')), _two("FloorMod",-9,9, edges=(1, -1, 3,-3,2,7,5,-5,4,-4,6,8),dtypes=('int32','int64')),
    _two("TruncateMod",-9,9, edges=(1, -1, 3,-3,2,7,5,-5,4,-4,6,8),dtypes=('int32','int64')), 
    _two("TruncateDiv",-9,9, edges=(1, -1, 3,-3,2,7,5,-5,4,-4,6,8),dtypes=('int32','int64')), 
    _two("RealDiv", edges=(0.0, 1.0, np.inf, -1.0, np.nan)),
    _two("Pow", 0, 4, edges=(0.0, 1.0, np.inf), eps=32), _two("Atan2", edges=(0.0, 1.0, -1.0)),
    _two("Add"), _two("AddV2"), _two("Sub"), _two("Mul"), _two("NextAfter"),
    _two("Greater",edges=(1,np.nan, np.inf)), _two("GreaterEqual",edges=(1,np.nan, np.inf)), _two("Less",edges=(1,np.nan, np.inf)), _two("LessEqual",edges=(1,np.nan, np.inf)), _two("Equal",edges=(1,np.nan, np.inf)), _two("NotEqual",edges=(1,np.nan, np.inf)),
    _two("Zeta", 1.5, 8), _two("Polygamma", 1, 3), _two("Igamma", 0.1, 8),_two("Igammac", 0.1, 8),
    _one("BesselI0e"),
    Case("Betainc", lambda a,b,x: tf.math.betainc(a,b,x), [Input(low=.1), Input(low=.1), Input(low=0.01,high=.99)]),
]
