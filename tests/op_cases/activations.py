"""Activations and their gradients."""

import keras
import numpy as np
import tensorflow as tf

from op_cases.comparison import Case, Input, gradient

EDGES = (0.0, -0.0, 1e-6, -1e-6, 5.99, 6.0, 6.01, 3.0, -3.0)
DRAWS = (Input(("batch", "rows", 24), -8, 8, EDGES),)


def _raw(op, *names, low=-4, high=4,**attributes):
    def call(*values):
        return getattr(tf.raw_ops, op)(**dict(zip(names, values, strict=True)), **attributes)
    return Case(op, call, [Input(("batch", "rows", 12), low, high, EDGES[:n]) for n in (9,1)], eps=16)


def _keras(name, op, function=None, **more):
    function = function or getattr(keras.activations, name)
    return [Case(op, function, DRAWS, name, eps=32, **more), Case("Square", gradient(function), DRAWS, f"gradient of {name}", eps=64, **more)]

CASES = [
    _raw("ReluGrad", "gradients", "features"),
    _raw("Relu6Grad", "gradients", "features"),
    _raw("LeakyReluGrad", "gradients", "features", alpha=.3),
    _raw("EluGrad", "gradients", "outputs", low=-1),
    _raw("SeluGrad", "gradients", "outputs", low=-1),
    _raw("SoftplusGrad", "gradients", "features"),
    _raw("SoftsignGrad", "gradients", "features"),
    _raw("SigmoidGrad", "y", "dy"),
    _raw("TanhGrad", "y", "dy"),
    _raw("SqrtGrad", "y", "dy", low=.1),
    _raw("RsqrtGrad", "y", "dy", low=.1),
    _raw("ReciprocalGrad", "y", "dy"),
    _raw("InvGrad", "y", "dy"),
    *_keras("gelu", "Erfc"),
    *_keras("gelu approximate", "Tanh", lambda x: keras.activations.gelu(x, approximate=True)),
    *_keras("softmax", "Softmax"),
    *_keras("softmax over an axis", "Softmax", lambda x: keras.activations.softmax(x, axis=1)),
    *_keras("log_softmax", "LogSoftmax"),
    *_keras("mish", "Softplus"),
    *_keras("silu", "Sigmoid"),
    *_keras("hard_sigmoid", "Relu6"),
    *_keras("hard_silu", "Relu6"),
    *_keras("hard_tanh", "Maximum"),
    *_keras("hard_shrink", "Abs"),
    *_keras("soft_shrink", "Abs"),
    *_keras("tanh_shrink", "Tanh"),
    *_keras("threshold", "Greater", lambda x: keras.activations.threshold(x, 1., 0.)),
    *_keras("celu", "Exp"),
    *_keras("elu", "Elu"),
    *_keras("selu", "Elu"),
    *_keras("exponential", "Exp"),
    *_keras("glu", "Sigmoid"),
    *_keras("leaky_relu", "LeakyRelu"),
    *_keras("linear", "Identity"),
    *_keras("log_sigmoid", "Softplus"),
    *_keras("relu", "Relu"),
    *_keras("relu6", "Relu6"),
    *_keras("relu, capped", "Relu", lambda x: keras.activations.relu(x, .1,4., .2)),
    *_keras("sigmoid", "Sigmoid"),
    *_keras("softplus", "Softplus"),
    *_keras("softsign", "Softsign"),
    *_keras("sparse_plus", "Where"),
    *_keras("sparse_sigmoid", "Where"),
    *_keras("sparsemax", "Sort"),
    *_keras("squareplus", "Sqrt"),
    *_keras("tanh", "Tanh"),
    Case("SoftmaxCrossEntropyWithLogits", lambda x, y: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(y), x), [Input(("batch",5)), Input(("batch",5))],),
    Case("SoftmaxCrossEntropyWithLogits", gradient(lambda x, y: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(y), x), of=1), [Input(("batch",5)), Input(("batch",5))], 'gradient'),
    Case("SparseSoftmaxCrossEntropyWithLogits", lambda x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(y, x), [Input(("batch",5)), Input(("batch",), 0,5,dtype='int32')],),
    Case("SparseSoftmaxCrossEntropyWithLogits", gradient(lambda x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(y, x),of=1), [Input(("batch",5)), Input(("batch",), 0,5,dtype='int32')],'gradient'),
    Case("BiasAdd", gradient(lambda x, y: tf.nn.bias_add(x,y)), [Input(("batch",5)), Input((5,))],'gradient'),
    Case("L2Loss", tf.nn.l2_loss),
]
for f in ("erf","erfc","lgamma","digamma","log1p","expm1","softplus","log","exp","sqrt","rsqrt","square","abs","sign","sin","cos","tan","tanh","sigmoid","reciprocal","asin","acos","atan","sinh","cosh","asinh","acosh","atanh","erfinv","ndtri","floor"):
    CASES.append(Case("Mul", gradient(getattr(tf.math,f)), [Input(low=1.1 if f=='acosh' else .1,high=1.9 if f=='acosh' else .9)], "gradient of "+f,eps=64))
for f in ("xlogy","xlog1py","xdivy","multiply_no_nan","divide_no_nan","maximum","minimum","squared_difference","pow","add","subtract","multiply","divide","atan2","floormod"):
    CASES.append(Case("Mul", gradient(getattr(tf.math,f)), [Input(('batch',1,3),low=.1,edges=(1.,)), Input((4,3),low=.1,edges=(0.,1.,.5) if 'no' in f else (0.5,1.,.5))], "gradient of "+f,eps=64))
