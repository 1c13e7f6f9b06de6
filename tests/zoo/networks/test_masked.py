"""Networks whose outputs depend on earlier inputs alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.networks.masked import MADE


def randomized(layer: keras.Layer, seed: int = 0) -> keras.Layer:
    """Returns the layer, built, with random weights."""
    layer.build(None)
    generator = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(generator.normal(0, 0.5, weight.shape))
    return layer


def jacobians(network: MADE, context: tf.Tensor | None = None) -> list[np.ndarray]:
    """Returns d output_i / d input_j at random inputs, [outputs][batch, i, j]."""
    inputs = tf.constant(np.random.default_rng(1).normal(size=(6, network.size)), tf.float32)
    found = []
    for index in range(network.outputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = network(inputs, context=context)[index]
        found.append(tape.batch_jacobian(values, inputs).numpy())
    return found


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("hidden", [(32,), (16, 24)])
def test_the_jacobian_is_strictly_triangular_and_full_below(reverse, conditional, hidden):
    network = randomized(MADE(5, 3, hidden, reverse=reverse, conditional=conditional))
    context = tf.random.stateless_normal([6, hidden[0]], [0, 1]) if conditional else None
    below = np.tril(np.ones([5, 5]), -1)
    below = below.T if reverse else below
    for jacobian in jacobians(network, context):
        assert (jacobian[:, below == 0] == 0).all()
        assert (jacobian[:, below == 1] != 0).all()


def test_every_output_sees_the_context():
    for size in (1, 4):
        network = randomized(MADE(size, 2, (16,), conditional=True))
        context = tf.random.stateless_normal([3, 16], [0, 1])
        with tf.GradientTape() as tape:
            tape.watch(context)
            values = tf.concat(network(tf.zeros([3, size]), context=context), axis=-1)
        assert (np.abs(tape.batch_jacobian(values, context).numpy()).sum(axis=-1) > 0).all()


def test_it_starts_at_zero_and_takes_any_leading_axes():
    network = MADE(4, 2, (8,))
    network.build(None)
    for shape in ((4,), (3, 4), (2, 3, 4)):
        for output in network(tf.ones(shape)):
            assert output.shape == shape
            assert (output.numpy() == 0).all()


def test_configuration_and_refusals():
    layer = MADE(4, 3, (8, 6), activation="tanh", reverse=True, conditional=True, name="made")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert [again.size, again.outputs, again.hidden, again.reverse, again.conditional] == [4, 3, [8, 6], True, True]
    for arguments in ((0,), (3, 0), (3, 2, ()), (3, 2, (0,))):
        with pytest.raises(zoo.ZooError, match=r"expected .* integer"):
            MADE(*arguments)
