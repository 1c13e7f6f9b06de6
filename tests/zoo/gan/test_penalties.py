"""Penalties where the gradient is known."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.gan.penalties import PENALTIES, R1, R2, GradientPenalty

GENERATOR = np.random.default_rng(0)
REAL, FAKE = (tf.constant(GENERATOR.random((5, 3, 2, 1)), tf.float32) for _ in range(2))
SLOPES = tf.constant(GENERATOR.normal(size=(3, 2, 1)), tf.float32)


def linear(images):
    return tf.reduce_sum(images * SLOPES, axis=[1, 2, 3])


def quadratic(images):
    return 0.5 * tf.reduce_sum(images**2, axis=[1, 2, 3])


def test_the_gradient_of_a_line_is_its_slope():
    """In units of pixels from -1 to 1, where a line is half as steep."""
    squared = np.sum(SLOPES.numpy() ** 2) / 4
    for penalty, expected in (
        (R1(3.0), 1.5 * squared),
        (R2(3.0), 1.5 * squared),
        (GradientPenalty(3.0), 3 * (np.sqrt(squared) - 1) ** 2),
    ):
        np.testing.assert_allclose(penalty(linear, REAL, FAKE, 0), np.full(5, expected), rtol=1e-5)


def test_they_look_where_they_say():
    for penalty, images in ((R1(2.0), REAL), (R2(2.0), FAKE)):
        expected = np.sum(images.numpy() ** 2, axis=(1, 2, 3)) / 4
        np.testing.assert_allclose(penalty(quadratic, REAL, FAKE, 0), expected, rtol=1e-5)
    lengths = [np.sqrt(np.sum(images.numpy() ** 2, axis=(1, 2, 3))) / 2 for images in (REAL, FAKE)]
    # The gradient is the point itself: on the line between them, no longer than the longer end.
    found = 1 - np.sqrt(GradientPenalty(1.0)(quadratic, REAL, FAKE, 0).numpy())
    assert (found < np.maximum(*lengths) + 1e-5).all()
    assert len({tuple(GradientPenalty(1.0)(quadratic, REAL, FAKE, seed).numpy()) for seed in range(3)}) == 3


def test_a_penalty_on_a_flat_discriminator_has_a_finite_gradient():
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(GradientPenalty()(lambda images: scale * linear(images), REAL, FAKE, 0))
    assert np.isfinite(tape.gradient(loss, scale).numpy())
    assert float(loss) == pytest.approx(50, rel=1e-4)


@pytest.mark.parametrize("name", PENALTIES)
def test_configs_and_numbers_out_of_range(name):
    again = PENALTIES[name].from_config(PENALTIES[name](4.0, every=16).get_config())
    assert (again.weight, again.every) == (4.0, 16)
    with pytest.raises(zoo.ZooError, match="weight is -1"):
        PENALTIES[name](-1.0)
    with pytest.raises(zoo.ZooError, match="every is 0"):
        PENALTIES[name](1.0, every=0)
