"""Handlers for TensorFlow ops that tf2onnx lacks.

A handler is a function `(graph, node) -> None` that replaces one TensorFlow node by ONNX nodes; `graph` and
`node` are tf2onnx's `Graph` and `Node`. Those here are used in every export. Users add their own with
`register`.
"""

import inspect
from collections.abc import Callable
from typing import Any

from tensorflow.python.framework import op_def_registry

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
from export.ops.arrays import identity_n
from export.ops.bits import bitcast, left_shift, right_shift
from export.ops.convolution import depthwise_gradient, transposed_convolution
from export.ops.cumulative import cumprod, cumulative_logsumexp
from export.ops.elementwise import (
    atan2,
    compare,
    divide,
    expm1,
    floor_div,
    floor_mod,
    log,
    log1p,
    mul_no_nan,
    reciprocal,
    select,
    selu,
    sigmoid,
    softplus,
    truncate_div,
    truncate_mod,
    xdivy,
    xlog1py,
    xlogy,
)
from export.ops.indexing import (
    bucketize,
    dynamic_update_slice,
    invert_permutation,
    one_hot,
    scatter_nd,
    segment_max,
    segment_mean,
    segment_min,
    top_k,
    unsorted_segment_max,
    unsorted_segment_min,
    unsorted_segment_prod,
    unsorted_segment_sum,
)
from export.ops.linear_algebra import (
    cholesky,
    matrix_band_part,
    matrix_diag,
    matrix_diag_part,
    matrix_set_diag,
    matrix_triangular_solve,
    product,
)
from export.ops.ordering import clip_by_value, maximum, minimum, reduce_max, reduce_min, relu, relu6, sign
from export.ops.patches import extract_image_patches
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
from export.ops.reductions import (
    add_n,
    bias_add_grad,
    euclidean_norm,
    identity,
    l2_loss,
    linspace,
    mirror_pad_grad,
    rank,
    reduce_mean,
    softmax_cross_entropy,
    sparse_softmax_cross_entropy,
)
from export.ops.resizing import (
    resize_area,
    resize_bicubic,
    resize_bilinear,
    resize_bilinear_grad,
    resize_nearest,
    resize_nearest_grad,
)
from export.ops.shapes import (
    broadcast_args,
    broadcast_gradient_args,
    concat_offset,
    dynamic_stitch,
    roll,
    shape_n,
)
from export.ops.slicing import strided_slice, strided_slice_grad
from export.ops.special import digamma, erf, erfc, lgamma

Handler = Callable[[Any, Any], None]

_HANDLERS: dict[str, Handler] = {
    "AddN": add_n,
    "Atan2": atan2,
    "AvgPoolGrad": avg_pool_grad,
    "BatchMatMul": product,
    "BatchMatMulV2": product,
    "BiasAddGrad": bias_add_grad,
    "Bitcast": bitcast,
    "BroadcastArgs": broadcast_args,
    "BroadcastGradientArgs": broadcast_gradient_args,
    "Bucketize": bucketize,
    "Cholesky": cholesky,
    "ClipByValue": clip_by_value,
    "ConcatOffset": concat_offset,
    "Conv2DBackpropInput": transposed_convolution,
    "Conv3DBackpropInputV2": transposed_convolution,
    "Cumprod": cumprod,
    "CumulativeLogsumexp": cumulative_logsumexp,
    "DepthwiseConv2dNativeBackpropInput": depthwise_gradient,
    "Digamma": digamma,
    "Div": divide,
    "DynamicStitch": dynamic_stitch,
    "EluGrad": elu_grad,
    "Erf": erf,
    "Erfc": erfc,
    "EuclideanNorm": euclidean_norm,
    "Expm1": expm1,
    "ExtractImagePatches": extract_image_patches,
    "FloorDiv": floor_div,
    "FloorMod": floor_mod,
    "Greater": compare,
    "GreaterEqual": compare,
    "IdentityN": identity_n,
    "Inv": reciprocal,
    "InvGrad": reciprocal_grad,
    "InvertPermutation": invert_permutation,
    "L2Loss": l2_loss,
    "LeakyReluGrad": leaky_relu_grad,
    "LeftShift": left_shift,
    "Less": compare,
    "LessEqual": compare,
    "Lgamma": lgamma,
    "LinSpace": linspace,
    "Log": log,
    "Log1p": log1p,
    "MatMul": product,
    "MatrixBandPart": matrix_band_part,
    "MatrixDiagPartV3": matrix_diag_part,
    "MatrixDiagV3": matrix_diag,
    "MatrixSetDiagV3": matrix_set_diag,
    "MatrixTriangularSolve": matrix_triangular_solve,
    "Max": reduce_max,
    "MaxPoolGrad": max_pool_grad,
    "Maximum": maximum,
    "Mean": reduce_mean,
    "Min": reduce_min,
    "Minimum": minimum,
    "MirrorPadGrad": mirror_pad_grad,
    "Mod": truncate_mod,
    "MulNoNan": mul_no_nan,
    "OneHot": one_hot,
    "PreventGradient": identity,
    "Rank": rank,
    "ReciprocalGrad": reciprocal_grad,
    "Relu": relu,
    "Relu6": relu6,
    "Relu6Grad": relu6_grad,
    "ReluGrad": relu_grad,
    "ResizeArea": resize_area,
    "ResizeBicubic": resize_bicubic,
    "ResizeBilinear": resize_bilinear,
    "ResizeBilinearGrad": resize_bilinear_grad,
    "ResizeNearestNeighbor": resize_nearest,
    "ResizeNearestNeighborGrad": resize_nearest_grad,
    "RightShift": right_shift,
    "Roll": roll,
    "RsqrtGrad": rsqrt_grad,
    "ScatterNd": scatter_nd,
    "SegmentMax": segment_max,
    "SegmentMean": segment_mean,
    "SegmentMin": segment_min,
    "Select": select,
    "SelectV2": select,
    "Selu": selu,
    "SeluGrad": selu_grad,
    "ShapeN": shape_n,
    "Sigmoid": sigmoid,
    "SigmoidGrad": sigmoid_grad,
    "Sign": sign,
    "Snapshot": identity,
    "SoftmaxCrossEntropyWithLogits": softmax_cross_entropy,
    "Softplus": softplus,
    "SoftplusGrad": softplus_grad,
    "SoftsignGrad": softsign_grad,
    "SparseSoftmaxCrossEntropyWithLogits": sparse_softmax_cross_entropy,
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
    "StridedSlice": strided_slice,
    "StridedSliceGrad": strided_slice_grad,
    "TanhGrad": tanh_grad,
    "TopKV2": top_k,
    "TruncateDiv": truncate_div,
    "TruncateMod": truncate_mod,
    "UnsortedSegmentMax": unsorted_segment_max,
    "UnsortedSegmentMin": unsorted_segment_min,
    "UnsortedSegmentProd": unsorted_segment_prod,
    "UnsortedSegmentSum": unsorted_segment_sum,
    "Xdivy": xdivy,
    "XlaDynamicUpdateSlice": dynamic_update_slice,
    "Xlog1py": xlog1py,
    "Xlogy": xlogy,
}


def handlers() -> dict[str, Handler]:
    """Returns the handlers in use, by TensorFlow op."""
    return dict(_HANDLERS)


def register(op: str, handler: Handler, replace: bool = False) -> None:
    """Adds a handler for a TensorFlow op, for every export from now on, before tf2onnx's own if it has one.

    docs/ops.md has an example.

    Args:
        op: The op's type, as TensorFlow spells it and as the message of a failed export names it.
        handler: Replaces a node of that type in a tf2onnx graph, called with the graph and the node.
        replace: Whether it may take the place of a handler here.

    Raises:
        ExportError: TensorFlow has no such op, what is given is no such function, or there is a handler already.
    """
    if not isinstance(op, str) or op_def_registry.get(op) is None:
        raise ExportError(
            f"TensorFlow has no op {op!r}. The message of a failed export names ops as they are meant here."
        )
    try:
        inspect.signature(handler).bind(None, None)
    except (TypeError, ValueError) as error:
        raise ExportError(
            f"the handler for {op} is called as handler(graph, node), which {handler!r} does not take."
        ) from error
    if op in _HANDLERS and not replace:
        raise ExportError(f"there is a handler for {op} already. To use this one in its place, pass replace=True.")
    _HANDLERS[op] = handler
