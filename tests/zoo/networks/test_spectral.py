"""The largest singular value is 1, and the gradient knows of it."""

import keras
import numpy as np
import tensorflow as tf

from zoo.networks.spectral import SpectralConv2D, SpectralDense


def test_the_largest_singular_value_is_one():
    values = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    dense = SpectralDense(6, use_bias=False)
    for _ in range(200):
        dense(values, training=True)
    matrix, kernel = dense(np.eye(8, dtype=np.float32)).numpy(), dense.kernel.numpy()
    assert abs(np.linalg.svd(matrix, compute_uv=False)[0] - 1) < 1e-3
    np.testing.assert_allclose(matrix, kernel / np.linalg.svd(kernel, compute_uv=False)[0], atol=1e-3)


def test_a_kernel_of_zeros_gives_zeros():
    dense = SpectralDense(6, kernel_initializer="zeros")
    np.testing.assert_array_equal(dense(np.ones((2, 3), np.float32), training=True), np.zeros((2, 6)))


def test_a_convolution_is_divided_by_the_singular_value_of_its_kernel():
    images = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype(np.float32)
    layer = SpectralConv2D(4, 3, 2, padding="same", activation="relu", bias_initializer="ones")
    for _ in range(200):
        layer(images, training=True)
    sigma = np.linalg.svd(layer.kernel.numpy().reshape(-1, 4), compute_uv=False)[0]
    plain = keras.layers.Conv2D(4, 3, 2, padding="same", activation="relu")
    plain.build(images.shape)
    plain.set_weights([layer.kernel.numpy() / sigma, np.ones(4)])
    np.testing.assert_allclose(layer(images), plain(images), atol=1e-3)


def test_the_gradient_goes_through_the_singular_value():
    """The layer does not change with the length of its kernel: the gradient is at right angles to it."""
    layer = SpectralDense(6)
    values = tf.constant(np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32))
    for _ in range(100):
        layer(values, training=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(values)))
    product = tape.gradient(loss, layer.kernel.value).numpy() * layer.kernel.numpy()
    assert abs(product.sum()) < 1e-3 * np.abs(product).sum()


def test_only_training_moves_the_singular_vector():
    layer, values = SpectralDense(3), np.ones((2, 4), np.float32)
    layer(values)
    before = layer.get_weights()
    layer(values)
    for one, other in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    layer(values, training=True)
    assert any(not np.array_equal(one, other) for one, other in zip(before, layer.get_weights(), strict=True))
