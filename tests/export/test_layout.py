"""Chains of convolutions keep ONNX's order of axes, and give the same."""

import warnings

import keras
import numpy as np
import onnx as onnx_package
import pytest
import tensorflow as tf

import export
from export import onnx
from export.bodies import graphs_of
from export.session import open_session
from zoo.signature import NamedTensor, Signature

IMAGE, SHIFT = NamedTensor("image", ("batch", 8, 6, 3)), NamedTensor("shift", ("batch", 3))


def converted(function, *inputs: NamedTensor, batch: int = 2) -> list[str]:
    """Compares with TensorFlow, and returns the ops of the graph and of the bodies of its loops."""
    rng = np.random.default_rng(0)
    values = {spec.name: rng.normal(size=(batch, *spec.shape[1:])).astype(np.float32) for spec in inputs}
    expected = function(**{key: tf.constant(value) for key, value in values.items()}).numpy()
    shape = ("batch", *expected.shape[1:])
    signature = Signature(
        "chain", lambda **given: {"y": function(**given)}, inputs, (NamedTensor("y", shape, expected.dtype.name),)
    )
    model = onnx.convert(signature)
    onnx.check(model, "chain")
    (found,) = open_session(model.SerializeToString(), "chain").run(None, values)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    return [node.op_type for graph in graphs_of(model.graph) for node in graph.node]


def convolution(filters: int = 3, size: int = 3, **options) -> keras.layers.Layer:
    return keras.layers.Conv2D(filters, size, padding="same", bias_initializer="normal", **options)


TABLE = np.random.default_rng(1).normal(size=(3, 8, 6, 3)).astype(np.float32)
BETWEEN = {
    "sum along rows": lambda x: x + tf.reduce_sum(x, 1, keepdims=True),
    "mean of channels": lambda x: x - tf.reduce_mean(x, -1, keepdims=True),
    "largest of all": lambda x: x / tf.reduce_max(tf.abs(x), [1, 2, 3], keepdims=True),
    "softmax of channels": lambda x: tf.nn.softmax(x, -1),
    "softmax of columns": lambda x: tf.transpose(tf.nn.softmax(tf.transpose(x, [0, 1, 3, 2])), [0, 1, 3, 2]),
    "joined channels": lambda x: tf.concat([x, tf.tanh(x)], -1),
    "joined with a constant": lambda x: tf.concat([x, tf.ones([2, 8, 6, 1])], -1),
    "joined rows": lambda x: tf.concat([x, x[:, :2]], 1),
    "split channels": lambda x: tf.multiply(*tf.split(tf.concat([x, x + 1.0], -1), 2, -1)),
    "part": lambda x: x[:, 1:7, ::2, :2],
    "padded rows": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 0], [0, 0]], constant_values=0.5),
    "tiled": lambda x: tf.tile(x, [1, 1, 2, 1]),
    "gathered channels": lambda x: tf.gather(x, [2, 0, 1, 1], axis=3),
    "gathered rows": lambda x: tf.gather(x, [5, 0, 3], axis=1),
    "constant image": lambda x: x * tf.constant(np.random.default_rng(1).normal(size=(8, 6, 3)), tf.float32),
    "constant column": lambda x: x * tf.constant(np.arange(6.0)[:, None], tf.float32),
    "scale of each channel": lambda x: tf.abs(x) * tf.constant([1.0, 2.0, 3.0]) - 1.0,
    "where": lambda x: tf.where(x > 0, x, tf.constant([[0.1, 0.2, 0.3]])),
    "repeated": lambda x: tf.repeat(tf.repeat(x, 2, 1), 2, 2),
    "attention": lambda x: x + tf.einsum("bhwc,bhwd->bcd", x, tf.tanh(x))[:, None, :, 0][:, :, None],
    "product with channels": lambda x: tf.einsum("bhwc,cd->bhwd", x, tf.constant(np.eye(3, 4) + 0.1, tf.float32)),
    "running sums": lambda x: tf.cumsum(x, 2),
    "row of a table of images": lambda x: x + tf.gather(TABLE, tf.argmax(x[:, 0, 0], -1)),
    "spread over rows": lambda x: x + tf.broadcast_to(tf.reduce_mean(x, [0, 1, 2]), [1, 8, 6, 3]),
    "part of its own size": lambda x: tf.ensure_shape(
        tf.slice(x, [0, 1, 1, 2], tf.shape(x) - [0, 2, 2, 2]), [None, 6, 4, 1]
    ),
    "every second row": lambda x: tf.ensure_shape(
        tf.strided_slice(x, [0] * 4, tf.shape(x), [1, 2, 2, 1]), [None, 4, 3, 3]
    ),
    "all but the first": lambda x: tf.ensure_shape(tf.strided_slice(x, [0, 1, 1, 0], tf.shape(x)), [None, 7, 5, 3]),
    "place of the largest": lambda x: x * tf.cast(tf.argmax(tf.round(x), 1), tf.float32)[:, None],
    "flat and back": lambda x: tf.reshape(tf.reshape(x, [-1, 144]) * 2.0, [-1, 8, 6, 3]),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_what_lies_between_convolutions_is_the_same(name):
    first, last = convolution(), convolution(2)
    converted(lambda image: last(BETWEEN[name](tf.nn.relu(first(image)))), IMAGE)


@pytest.mark.parametrize("name", ["joined channels", "mean of channels", "part", "repeated"])
def test_no_transposes_are_left_between_convolutions(name):
    first, last = convolution(), convolution(2)
    ops = converted(lambda image: last(BETWEEN[name](tf.nn.relu(first(image)))), IMAGE)
    assert ops.count("Transpose") <= 2
    assert ("Resize" in ops) == (name == "repeated")


def test_a_shift_by_another_input_costs_no_transpose():
    first, last, dense = convolution(), convolution(3), keras.layers.Dense(3)
    ops = converted(
        lambda image, shift: last(tf.nn.silu(first(image) * (1 + dense(shift)[:, None, None]))) + image, IMAGE, SHIFT
    )
    assert ops.count("Transpose") <= 2


def test_batch_normalization_is_folded_into_weights():
    layers = [
        keras.layers.Dense(4 * 3 * 5),
        keras.layers.Reshape((4, 3, 5)),
        keras.layers.BatchNormalization(beta_initializer="normal", moving_mean_initializer="normal"),
        keras.layers.ReLU(),
        keras.layers.Conv2DTranspose(4, 4, 2, "same", use_bias=False),
        keras.layers.BatchNormalization(gamma_initializer="normal", moving_mean_initializer="normal"),
        keras.layers.ReLU(),
        convolution(1, 4, strides=2, use_bias=False),
        keras.layers.BatchNormalization(gamma_initializer="normal", moving_mean_initializer="normal"),
    ]

    def decode(shift: tf.Tensor) -> tf.Tensor:
        for layer in layers:
            shift = layer(shift)
        return shift

    ops = converted(decode, SHIFT)
    assert not {"Transpose", "Mul", "Sub", "BatchNormalization"} & set(ops)


def test_rows_that_a_reshape_divides_keep_their_factors():
    dense, factors = keras.layers.Dense(12), np.array([0.5, 2.0, -1.0, 3.0], np.float32)
    converted(lambda shift: tf.reshape(dense(shift), [-1, 3, 4]) * factors, SHIFT)
    signature = Signature(
        "divided",
        lambda shift: {"y": tf.reshape(dense(shift), [-1, 4]) * factors - factors},
        (SHIFT,),
        (NamedTensor("y", ("rows", 4)),),
    )
    shift = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    (found,) = open_session(onnx.convert(signature).SerializeToString(), "divided").run(None, {"shift": shift})
    np.testing.assert_allclose(found, signature.function(tf.constant(shift))["y"], rtol=1e-4, atol=1e-5)


def test_images_of_one_row_are_turned_where_they_must_be():
    first, last = keras.layers.Conv2DTranspose(4, 3, padding="same"), convolution(4)

    def both(image: tf.Tensor) -> tf.Tensor:
        row = first(image[:, :1, :4])
        return last(tf.tanh(row)) + row

    converted(both, IMAGE)


def test_dense_layers_take_images_as_they_lie():
    first, dense = convolution(4, strides=2), keras.layers.Dense(3)
    ops = converted(lambda image: dense(tf.reshape(tf.nn.elu(first(image)), [-1, 48])), IMAGE)
    assert ops.count("Transpose") == 1  # of the input


def test_gradients_keep_the_order_too():
    first, last, dense = convolution(4), convolution(2, strides=2), keras.layers.Dense(1)

    def score(image: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(image)
            energy = dense(tf.reshape(tf.nn.silu(last(tf.nn.softplus(first(image)))), [-1, 24]))
        return tape.gradient(energy, image)

    ops = converted(score, IMAGE)
    assert ops.count("Transpose") == 2
    assert ops.count("ConvTranspose") == 1  # that of stride 1 is a convolution


@pytest.mark.parametrize(
    "shape, layer",
    [
        ((None, None, 3), lambda: convolution(4, dilation_rate=3)),
        ((None, 7, 3), lambda: convolution(4, (2, 5), dilation_rate=(4, 2))),
        ((None, None, 3), lambda: keras.layers.DepthwiseConv2D(4, padding="same", dilation_rate=2)),
        ((None, 3), lambda: keras.layers.Conv1D(4, 3, padding="same", dilation_rate=2)),
    ],
)
def test_dilated_convolutions_of_free_sizes_are_one_op(shape, layer, tmp_path):
    """TensorFlow writes them as space to batch, convolution and batch to space."""
    model = keras.Sequential([keras.Input(shape, name="x"), layer()])
    export.save(model, tmp_path / "bundle", "onnx")
    nodes = [node.op_type for node in onnx_package.load(tmp_path / "bundle/onnx/call.onnx").graph.node]
    assert nodes.count("Conv") == 1 and nodes.count("Transpose") <= 2 and len(nodes) <= 6
    bundle = export.load(tmp_path / "bundle")
    for size in (2, 5, 9, 16):
        sizes = [size + axis if free is None else free for axis, free in enumerate(shape)]
        x = np.random.default_rng(size).normal(size=(2, *sizes)).astype(np.float32)
        np.testing.assert_allclose(bundle.run("call", x=x)["output"], model.predict(x, verbose=0), atol=1e-5)


def test_an_output_with_channels_first_behind_branches_that_join(tmp_path):
    """tf2onnx's own pass would take it out with the transposes that it moves."""
    images = keras.Input((16, 16, 3))
    x = keras.layers.PReLU(shared_axes=[1, 2])(keras.layers.Conv2D(4, 3)(images))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        export.save(keras.Model(images, keras.layers.Permute((3, 1, 2))(x)), tmp_path / "bundle", "onnx")
    nodes = onnx_package.load(tmp_path / "bundle/onnx/call.onnx").graph.node
    assert [node.op_type for node in nodes].count("Transpose") <= 1


def test_loops_are_handed_no_weights_and_turn_none():
    layer = convolution()

    def chain(image: tf.Tensor) -> tf.Tensor:
        body = lambda step, state: (step + 1, tf.tanh(layer(state)))  # noqa: E731
        return tf.while_loop(lambda step, _: step < 3, body, (tf.zeros([], tf.int32), image))[1]

    layer.build((None, 8, 6, 3))
    rng = np.random.default_rng(0).random((2, 8, 6, 3), np.float32)
    signature = Signature("chain", lambda image: {"y": chain(image)}, (IMAGE,), (NamedTensor("y", ("batch", 8, 6, 3)),))
    model = onnx.convert(signature)
    (found,) = open_session(model.SerializeToString(), "chain").run(None, {"image": rng})
    np.testing.assert_allclose(found, chain(tf.constant(rng)), atol=1e-5)
    (loop,) = [node for node in model.graph.node if node.op_type == "Loop"]
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    assert len(loop.input) <= 2 + 3  # the image, and two counters
    assert len(body.initializer) == 2  # the kernel and the bias, which it alone takes
    assert sum(node.op_type == "Transpose" for node in body.node) <= 2
