"""The error function, the gamma function and their kin, none of which ONNX has in both dtypes.

The last three letters of float32 are had by a calculation in float64 where a formula cancels.
"""

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from export.ops.build import Builder

# exp(x^2) erfc(x) (1 + 2 x) for x >= 0, in powers of t = (x - 3) / (x + 3): the expansion in Chebyshev polynomials of t
# (Shepherd and Laframboise 1981, who have 3.75 for 3), cut off at 2e-7 and at 1e-15.
_CENTRE = 3.0
_ERFCX_FLOAT32 = (
    1.2530080563677553,
    -0.13562023891915578,
    -0.047562156927520076,
    0.129627504721725,
    -0.1192752752822409,
    0.06840958165633677,
    -0.02376357643949504,
    0.0022865137034448328,
    0.001875079123772353,
    -0.0005138505128719338,
    -9.254516686923966e-05,
)
_ERFCX_FLOAT64 = (
    1.2530080582697296,
    -0.13562110612457576,
    -0.04756229435342038,
    0.12964515870228346,
    -0.11927366341676002,
    0.06830802735638397,
    -0.023770514891530075,
    0.0025293916672051724,
    0.0018886900977441495,
    -0.0007798312797290158,
    -0.00010515831297813128,
    0.00012509531076254534,
    4.94412434222366e-06,
    -2.0089997833284275e-05,
    -7.187883834404266e-07,
    3.454294770277738e-06,
    3.3669790806407595e-07,
    -5.963983625522741e-07,
    -1.205414228648938e-07,
    8.765881411730558e-08,
    2.7843881265502222e-08,
    -7.641962892589975e-09,
    -3.1813541434969274e-09,
)
_ERF_SERIES = [2 / math.sqrt(math.pi) * (-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(13)]

# Bernoulli numbers B_2, B_4, ..., B_16.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_SHIFT = 10  # from where on they suffice


def erf(graph: Any, node: Any) -> None:
    """Erf: ONNX's own in float32; in float64 its power series up to 0.5, and 1 - erfc(x) above."""
    build = Builder(graph, node)
    (x,) = build.inputs
    if build.dtype.itemsize < 8:
        build.replace(build.op("Erf", x))
        return
    size = build.op("Abs", x)
    small = build.op("Min", size, build.number(0.5))
    near = build.op("Mul", x, build.polynomial(build.op("Mul", small, small), _ERF_SERIES))
    far = build.op("Mul", build.op("Sign", x), build.op("Sub", build.number(1), _upper_tail(build, size)))
    build.replace(build.choose("Less", size, 0.5, near, far))


def erfc(graph: Any, node: Any) -> None:
    """Erfc: 1 - erf(x), to its last digits in the tail (Shepherd and Laframboise 1981)."""
    build = Builder(graph, node)
    (x,) = build.inputs
    tail = _upper_tail(build, build.op("Abs", x))
    build.replace(build.choose("Less", x, 0, build.op("Sub", build.number(2), tail), tail))


def lgamma(graph: Any, node: Any) -> None:
    """Lgamma: log |gamma(x)| by Stirling's series (DLMF 5.11.1), shifted up to 10, and reflected below 0.5 (5.5.3)."""
    build = _Gamma(graph, node)
    x, one = build.reflected, build.number(1)
    product = one
    for step in range(_SHIFT):
        product = build.op("Mul", product, build.op("Add", x, build.number(step)))
    is_large = build.op("GreaterOrEqual", x, build.number(_SHIFT))
    product = build.op("Where", is_large, one, product)
    y = build.op("Where", is_large, x, build.op("Add", x, build.number(_SHIFT)))
    series = build.stirling(y, [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, 1)])
    # (y - 1/2) log(y) - y + log(2 pi) / 2, as terms that are infinite where y is, and not NaN.
    main = build.op("Mul", build.op("Sub", y, build.number(0.5)), build.op("Sub", build.op("Log", y), one))
    rest = build.op("Add", build.op("Div", series, y), build.number(0.5 * math.log(2 * math.pi) - 0.5))
    above = build.op("Sub", build.op("Add", main, rest), build.op("Log", product))
    sine = build.op("Abs", build.op("Sin", build.op("Mul", build.fraction, build.number(math.pi))))
    log_sine = build.op("Log", build.op("Div", build.number(math.pi), sine))
    infinite = build.op("IsInf", build.x, detect_negative=1, detect_positive=0)
    below = build.op("Where", infinite, build.number(math.inf), build.op("Sub", log_sine, above))
    build.finish(above, below)


def digamma(graph: Any, node: Any) -> None:
    """Digamma: the derivative of log gamma by its series (DLMF 5.11.2), shifted up to 10, and reflected (5.5.4)."""
    build = _Gamma(graph, node)
    x = build.reflected
    harmonic = build.number(0)
    for step in range(_SHIFT):
        harmonic = build.op("Add", harmonic, build.op("Reciprocal", build.op("Add", x, build.number(step))))
    is_large = build.op("GreaterOrEqual", x, build.number(_SHIFT))
    harmonic = build.op("Where", is_large, build.number(0), harmonic)
    y = build.op("Where", is_large, x, build.op("Add", x, build.number(_SHIFT)))
    series = build.stirling(y, [b / (2 * k) for k, b in enumerate(_BERNOULLI, 1)])
    square = build.op("Mul", y, y)
    series = build.op("Add", build.op("Div", series, square), build.op("Div", build.number(0.5), y))
    above = build.op("Sub", build.op("Sub", build.op("Log", y), series), harmonic)
    angle = build.op("Mul", build.fraction, build.number(math.pi))
    cotangent = build.op("Mul", build.number(math.pi), build.op("Div", build.op("Cos", angle), build.op("Sin", angle)))
    pole = build.op("Equal", build.fraction, build.number(0))
    below = build.op("Sub", above, cotangent)
    build.finish(above, build.op("Where", pole, build.number(math.nan), below))


class _Gamma(Builder):
    """Builds what functions of the gamma function have in common: they are calculated in float64, for x >= 0.5."""

    def __init__(self, graph: Any, node: Any):
        super().__init__(graph, node)
        self.x = self.cast(self.inputs[0], TensorProto.DOUBLE)
        self.is_small = self.op("Less", self.x, self.number(0.5))
        self.reflected = self.op("Where", self.is_small, self.op("Sub", self.number(1), self.x), self.x)
        # x without its whole part, from -0.5 to 0.5, where sines are at their best.
        self.fraction = self.op("Sub", self.x, self.op("Round", self.x))

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float64)

    def stirling(self, y: str, coefficients: list[float]) -> str:
        """Returns a series in 1 / y^2."""
        inverse = self.op("Reciprocal", y)
        return self.polynomial(self.op("Mul", inverse, inverse), coefficients)

    def finish(self, above: str, below: str) -> None:
        value = self.op("Where", self.is_small, below, above)
        self.replace(self.cast(value, self.node.output_dtypes[0]))


def _upper_tail(build: Builder, size: str) -> str:
    """Returns erfc(x) for x >= 0."""
    x = build.op("Min", size, build.number(30))  # beyond, exp(-x^2) is 0 in both dtypes
    centre = build.number(_CENTRE)
    t = build.op("Div", build.op("Sub", x, centre), build.op("Add", x, centre))
    scaled = build.polynomial(t, _ERFCX_FLOAT32 if build.dtype.itemsize < 8 else _ERFCX_FLOAT64)
    scaled = build.op("Div", scaled, build.op("Add", build.op("Add", x, x), build.number(1)))
    # The rounding of x^2 would be that of exp(-x^2) many times over. So x is split in two; the square of one is exact.
    coarse = build.op("Div", build.op("Floor", build.op("Mul", x, build.number(16))), build.number(16))
    fine = build.op("Mul", build.op("Sub", x, coarse), build.op("Add", x, coarse))
    powers = (build.op("Exp", build.op("Neg", value)) for value in (build.op("Mul", coarse, coarse), fine))
    return build.op("Mul", build.op("Mul", *powers), scaled)
