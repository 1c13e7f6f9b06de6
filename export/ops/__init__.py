"""Handlers for TensorFlow ops that tf2onnx lacks.

A handler is a function `(graph, node) -> None` that replaces one TensorFlow node by ONNX nodes; `graph` and
`node` are tf2onnx's `Graph` and `Node`. Those here are used in every export. Users add their own with
`register`.
"""

from collections.abc import Callable
from typing import Any

from export.errors import ExportError
from export.ops.activations import (
    elu_grad,
    leaky_relu_grad,
    reciprocal_grad,
    relu6_grad,
    relu_grad,
    rsqrt_grad,
    selu_grad,
    sigmoid_grad,
    softplus_grad,
    softsign_grad,
    sqrt_grad,
    tanh_grad,
)
from export.ops.convolution import depthwise_gradient
from export.ops.elementwise import (
    expm1,
    floor_div,
    floor_mod,
    log,
    log1p,
    maximum,
    minimum,
    mul_no_nan,
    reciprocal,
    selu,
    truncate_mod,
    xdivy,
    xlog1py,
    xlogy,
)
from export.ops.linear_algebra import matrix_triangular_solve
from export.ops.pooling import avg_pool_grad, max_pool_grad
from export.ops.random import (
    categorical,
    get_algorithm,
    get_key_counter,
    get_key_counter_algorithm,
    normal,
    truncated_normal,
    uniform,
    uniform_full_int,
    uniform_int,
)
from export.ops.shapes import (
    broadcast_args,
    broadcast_gradient_args,
    concat_offset,
    dynamic_stitch,
    shape_n,
    strided_slice_grad,
)
from export.ops.special import digamma, erf, erfc, lgamma

Handler = Callable[[Any, Any], None]

_HANDLERS: dict[str, Handler] = {
    "AvgPoolGrad": avg_pool_grad,
    "BroadcastArgs": broadcast_args,
    "BroadcastGradientArgs": broadcast_gradient_args,
    "ConcatOffset": concat_offset,
    "DepthwiseConv2dNativeBackpropInput": depthwise_gradient,
    "Digamma": digamma,
    "DynamicStitch": dynamic_stitch,
    "EluGrad": elu_grad,
    "Erf": erf,
    "Erfc": erfc,
    "Expm1": expm1,
    "FloorDiv": floor_div,
    "FloorMod": floor_mod,
    "Inv": reciprocal,
    "InvGrad": reciprocal_grad,
    "LeakyReluGrad": leaky_relu_grad,
    "Lgamma": lgamma,
    "Log": log,
    "Log1p": log1p,
    "MatrixTriangularSolve": matrix_triangular_solve,
    "MaxPoolGrad": max_pool_grad,
    "Maximum": maximum,
    "Minimum": minimum,
    "Mod": truncate_mod,
    "MulNoNan": mul_no_nan,
    "ReciprocalGrad": reciprocal_grad,
    "Relu6Grad": relu6_grad,
    "ReluGrad": relu_grad,
    "RsqrtGrad": rsqrt_grad,
    "Selu": selu,
    "SeluGrad": selu_grad,
    "ShapeN": shape_n,
    "SigmoidGrad": sigmoid_grad,
    "SoftplusGrad": softplus_grad,
    "SoftsignGrad": softsign_grad,
    "SqrtGrad": sqrt_grad,
    "StatelessMultinomial": categorical,
    "StatelessRandomGetAlg": get_algorithm,
    "StatelessRandomGetKeyCounter": get_key_counter,
    "StatelessRandomGetKeyCounterAlg": get_key_counter_algorithm,
    "StatelessRandomNormal": normal,
    "StatelessRandomNormalV2": normal,
    "StatelessRandomUniform": uniform,
    "StatelessRandomUniformFullInt": uniform_full_int,
    "StatelessRandomUniformFullIntV2": uniform_full_int,
    "StatelessRandomUniformInt": uniform_int,
    "StatelessRandomUniformIntV2": uniform_int,
    "StatelessRandomUniformV2": uniform,
    "StatelessTruncatedNormal": truncated_normal,
    "StatelessTruncatedNormalV2": truncated_normal,
    "StridedSliceGrad": strided_slice_grad,
    "TanhGrad": tanh_grad,
    "TruncateMod": truncate_mod,
    "Xdivy": xdivy,
    "Xlog1py": xlog1py,
    "Xlogy": xlogy,
}


def handlers() -> dict[str, Handler]:
    """Returns the handlers in use, by TensorFlow op."""
    return dict(_HANDLERS)


def register(op: str, handler: Handler) -> None:
    """Adds a handler for a TensorFlow op, for every export from now on.

    Args:
        op: The op's type, for example "Erfc".
        handler: Replaces a node of that type in a tf2onnx graph.

    Raises:
        ExportError: There is one for this op already.
    """
    if op in _HANDLERS:
        raise ExportError(f"there is a handler for {op} already.")
    _HANDLERS[op] = handler
