"""Activations of Keras, and gradients of functions of single values."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input, gradient

EDGES = (0.0, -0.0, 1e-6, -1e-6, 5.99, 6.0, 6.01, 3.0, -3.0)
SPREAD = (Input(("batch", "rows", 24), -8, 8, EDGES),)
PLACES = (Input(("batch", 3, 24), -8, 8, EDGES),)


def raw(op: str, *names: str, low: float = -4, **attributes: Any) -> Case:
    """A gradient of TensorFlow's, of two inputs."""
    given = Input(("batch", "rows", 12), low, 4, EDGES), Input(("batch", "rows", 12), low, 4, EDGES[:1])
    return Case(
        op, lambda *values: getattr(tf.raw_ops, op)(**dict(zip(names, values, strict=True)), **attributes), given
    )


def slope(name: str, op: str, function: Callable | None = None, given: tuple[Input, ...] = SPREAD) -> Case:
    """The gradient of an activation's squares, which takes both its values and its gradient."""
    return Case(op, gradient(function or getattr(keras.activations, name)), given, name, eps=64)


def gradient_of(name: str, *given: Input, lacks: str = "") -> Case:
    """The gradient of a function of `tf.math`."""
    given = given or (Input(low=0.1, high=0.9),)
    return Case("Mul", gradient(getattr(tf.math, name)), given, f"in the gradient of {name}", eps=64, lacks=lacks)


PAIR = Input(("batch", 1, 3), 0.1, edges=(1.0,)), Input((4, 3), 0.1, edges=(0.5, 1.0, 0.5))
LABELS = Input(("batch", 5), 0, 1), Input(("batch",), 0, 5, dtype="int32")

CASES = [
    raw("ReluGrad", "gradients", "features"),
    raw("Relu6Grad", "gradients", "features"),
    raw("LeakyReluGrad", "gradients", "features", alpha=0.3),
    raw("EluGrad", "gradients", "outputs", low=-1),
    raw("SeluGrad", "gradients", "outputs", low=-1),
    raw("SoftplusGrad", "gradients", "features"),
    raw("SoftsignGrad", "gradients", "features"),
    raw("SigmoidGrad", "y", "dy"),
    raw("TanhGrad", "y", "dy"),
    raw("SqrtGrad", "y", "dy", low=0.1),
    raw("RsqrtGrad", "y", "dy", low=0.1),
    raw("ReciprocalGrad", "y", "dy"),
    raw("InvGrad", "y", "dy"),
    slope("celu", "Expm1"),
    slope("elu", "Elu"),
    slope("exponential", "Exp"),
    slope("gelu", "Erfc"),
    slope("approximate gelu", "Tanh", lambda x: keras.activations.gelu(x, approximate=True)),
    slope("glu", "Sigmoid"),
    slope("hard_shrink", "Abs"),
    slope("hard_sigmoid", "Relu6"),
    slope("hard_silu", "Relu6"),
    slope("hard_tanh", "Maximum"),
    slope("leaky_relu", "LeakyRelu"),
    slope("log_sigmoid", "Softplus"),
    slope("log_softmax", "LogSoftmax"),
    slope("mish", "Softplus"),
    slope("relu", "Relu"),
    slope("capped relu", "Relu", lambda x: keras.activations.relu(x, 0.1, 4.0, 0.2)),
    slope("relu6", "Relu6"),
    slope("selu", "Selu"),
    slope("sigmoid", "Sigmoid"),
    slope("silu", "Sigmoid"),
    slope("soft_shrink", "SelectV2"),
    slope("softmax", "Softmax"),
    slope("softmax over rows", "Softmax", lambda x: keras.activations.softmax(x, axis=1), PLACES),
    slope("softplus", "Softplus"),
    slope("softsign", "Softsign"),
    slope("sparse_plus", "SelectV2"),
    slope("sparse_sigmoid", "SelectV2"),
    slope("sparsemax", "TopKV2"),
    slope("squareplus", "Sqrt"),
    slope("tanh", "Tanh"),
    slope("tanh_shrink", "Tanh"),
    slope("threshold", "Greater", lambda x: keras.activations.threshold(x, 1.0, 0.0)),
    *(
        gradient_of(name)
        for name in ("abs", "cos", "erf", "erfc", "exp", "expm1", "lgamma", "log", "log1p", "reciprocal")
    ),
    *(gradient_of(name) for name in ("rsqrt", "sigmoid", "sin", "softplus", "sqrt", "square", "tanh")),
    *(gradient_of(name, lacks=name.title()) for name in ("acos", "asin", "asinh", "atan", "atanh", "tan")),
    *(gradient_of(name, lacks=slope) for name, slope in (("cosh", "Sinh"), ("sinh", "Cosh"))),
    *(gradient_of(name, *PAIR) for name in ("divide", "divide_no_nan", "floormod", "maximum", "minimum", "multiply")),
    *(gradient_of(name, *PAIR) for name in ("multiply_no_nan", "pow", "squared_difference", "subtract")),
    *(gradient_of(name, *PAIR) for name in ("xdivy", "xlog1py", "xlogy")),
    Case(
        "SelectV2",
        lambda x: tf.where(x > 0, tf.math.log(x), x.dtype.min),
        (Input(edges=(-1.0, 0.0, 1.0, -np.inf, np.nan)),),
        "of NaN and infinity",
        scale=0,
    ),
    Case(
        "SoftmaxCrossEntropyWithLogits",
        lambda x, y: tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=x, labels=tf.abs(y)),
        [Input(("batch", 5)), Input(("batch", 5), edges=(0.0,))],
    ),
    Case(
        "SparseSoftmaxCrossEntropyWithLogits",
        lambda x, y: tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=x, labels=y),
        LABELS,
    ),
    Case(
        "SparseSoftmaxCrossEntropyWithLogits",
        gradient(lambda x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(y, x), of=1),
        LABELS,
        "gradient",
    ),
    Case("BiasAddGrad", gradient(tf.nn.bias_add), [Input(("batch", "rows", 5)), Input((5,))]),
    Case("BiasAddGrad", lambda x: tf.raw_ops.BiasAddGrad(out_backprop=x, data_format="NCHW"), name="channels first"),
    Case("L2Loss", tf.nn.l2_loss),
]
