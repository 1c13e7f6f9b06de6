"""Gradients in ONNX Runtime against TensorFlow, with a free batch axis."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export import onnx
from export.session import open_session
from zoo.signature import NamedTensor, Signature

VALUES = np.concatenate([[0.0, -0.0, 1e-6, -1e-6, 5.99, 6.0, 6.01], np.linspace(-8, 8, 41)])
ACTIVATIONS = {
    "ReluGrad": tf.nn.relu,
    "Relu6Grad": tf.nn.relu6,
    "LeakyReluGrad": lambda x: tf.nn.leaky_relu(x, 0.3),
    "EluGrad": tf.nn.elu,
    "SeluGrad": tf.nn.selu,
    "SigmoidGrad": tf.sigmoid,
    "TanhGrad": tf.tanh,
    "SoftsignGrad": tf.nn.softsign,
    "SqrtGrad": lambda x: tf.sqrt(1 + tf.square(x)),
    "RsqrtGrad": lambda x: tf.math.rsqrt(1 + tf.square(x)),
    "ReciprocalGrad": lambda x: tf.math.reciprocal(1 + tf.square(x)),
    "swish": keras.activations.silu,
    "gelu, approximate": lambda x: keras.activations.gelu(x, approximate=True),
    "mish": keras.activations.mish,
}


def gradient_of(function):
    """The gradient of the sum of a function's squares, so that what comes from above is not all ones."""

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.square(function(x) + 0.5))
        return {"gradient": tf.convert_to_tensor(tape.gradient(total, x))}

    return gradient


def compared(function, shape: tuple[int, ...], op: str, dtype: str = "float32", tolerance: float | None = None) -> None:
    """Checks that the gradient is the same in both, at two batch sizes, and that TensorFlow makes it of an op."""
    axes = ("batch", *shape)
    spec = tf.TensorSpec([None, *shape], dtype)
    graph = tf.function(gradient_of(function), autograph=False).get_concrete_function(spec).graph
    assert op in {each.type for each in graph.get_operations()}
    signature = Signature(
        "test", gradient_of(function), (NamedTensor("x", axes, dtype),), (NamedTensor("gradient", axes, dtype),)
    )
    model = onnx.convert(signature)
    onnx.check(model, "test")
    session = open_session(model.SerializeToString(), "test")
    generator = np.random.default_rng(0)
    for batch in (1, 5):
        # Some values are equal, as pixels are.
        x = np.round(generator.normal(size=(batch, *shape)), 1).astype(dtype)
        expected = signature.function(tf.constant(x))["gradient"].numpy()
        scale = tolerance or 20 * np.finfo(dtype).eps * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, dtype):
    function = gradient_of(ACTIVATIONS[name])
    spec = NamedTensor("x", ("batch",), dtype), NamedTensor("gradient", ("batch",), dtype)
    signature = Signature("test", function, spec[:1], spec[1:])
    if name.endswith("Grad"):
        graph = tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec([None], dtype)).graph
        assert name in {op.type for op in graph.get_operations()}
    session = open_session(onnx.convert(signature).SerializeToString(), "test")
    values = VALUES.astype(dtype)
    expected = function(tf.constant(values))["gradient"].numpy()
    # ONNX keeps the constants of Selu as float32.
    rounding = np.finfo("float32" if name == "SeluGrad" else dtype).eps
    np.testing.assert_allclose(session.run(None, {"x": values})[0], expected, rtol=100 * rounding, atol=30 * rounding)


@pytest.mark.parametrize(
    ("op", "names"),
    [("SoftplusGrad", ("gradients", "features")), ("InvGrad", ("y", "dy")), ("ReciprocalGrad", ("y", "dy"))],
)
def test_gradients_that_tensorflow_makes_of_other_ops_today(op, names):
    def function(first, second):
        return {"z": getattr(tf.raw_ops, op)(**dict(zip(names, (first, second), strict=True)))}

    specs = NamedTensor("first", ("batch",)), NamedTensor("second", ("batch",))
    model = onnx.convert(Signature("test", function, specs, (NamedTensor("z", ("batch",)),)))
    given = {name: np.random.default_rng(0).normal(size=9).astype(np.float32) for name in ("first", "second")}
    expected = function(**{name: tf.constant(value) for name, value in given.items()})["z"]
    got = open_session(model.SerializeToString(), "test").run(None, given)[0]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("window", "strides"), [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 1))])
@pytest.mark.parametrize("kind", ["AVG", "MAX"])
def test_pooling(kind, window, strides, padding):
    compared(lambda x: tf.nn.pool(x, window, kind, strides, padding), (7, 6, 3), f"{kind.title()}PoolGrad")


def test_pooling_of_images_of_unknown_size_is_refused():
    spec = (NamedTensor("x", ("batch", "rows", "columns", 3)),)
    gradient = NamedTensor("gradient", ("batch", "rows", "columns", 3))
    for kind in ("AVG", "MAX"):
        function = gradient_of(lambda x, kind=kind: tf.nn.pool(x, (2, 2), kind, (2, 2), "SAME"))
        with pytest.raises(export.ExportError, match=f"{kind.title()}PoolGrad"):
            onnx.convert(Signature("test", function, spec, (gradient,)))


OPS = {
    "Conv2D": "Conv2DBackpropInput",
    "DepthwiseConv2D": "DepthwiseConv2dNativeBackpropInput",
    "LayerNormalization": "BroadcastGradientArgs",
    "GlobalAveragePooling2D": "DynamicStitch",
    "Cropping2D": "StridedSliceGrad",
}


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, padding="same"),
        keras.layers.Conv2D(4, 4, 2, padding="same"),
        keras.layers.Conv2D(4, 3, 2, padding="valid"),
        keras.layers.Conv2D(4, 3, padding="same", dilation_rate=2),
        keras.layers.Conv2DTranspose(4, 4, 2, padding="same"),
        keras.layers.DepthwiseConv2D(3, padding="same"),
        keras.layers.DepthwiseConv2D(3, 2, padding="same"),
        keras.layers.SeparableConv2D(4, 3, padding="same"),
        keras.layers.Dense(5),
        keras.layers.LayerNormalization(),
        keras.layers.GroupNormalization(2),
        keras.layers.UpSampling2D(2),
        keras.layers.DepthwiseConv2D(3, 2, padding="valid", depth_multiplier=3),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.ZeroPadding2D(1),
        keras.layers.Cropping2D(1),
    ],
    ids=lambda layer: layer.name,
)
def test_layers(layer):
    shape = (7, 6, 2)
    layer.build((None, *shape))
    compared(layer, shape, OPS.get(type(layer).__name__, "AddV2"), tolerance=1e-4)


@pytest.mark.parametrize("axis", [1, -1])
def test_concatenation(axis):
    compared(lambda x: tf.concat([x, x[:, :2, :2] ** 2, 2 * x[:, :2, :2]], axis), (2, 2), "ConcatOffset")


def test_sums_over_one_axis():
    compared(lambda x: tf.reduce_logsumexp(x, axis=-1), (6,), "DynamicStitch")
