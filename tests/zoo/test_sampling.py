"""Draws from TFP distributions."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from zoo.sampling import draw

COUNT = 200_000


@pytest.mark.parametrize(
    "distribution",
    [
        tfd.Normal([0.0, 2.0, -1.0], [1.0, 0.5, 3.0]),
        tfd.Bernoulli(probs=[0.1, 0.5, 0.99], dtype=tf.float32),
        tfd.Independent(tfd.Normal([[0.0, 2.0], [1.0, 1.0]], 0.3), 1),
        tfd.TransformedDistribution(tfd.Normal([0.0, 1.0], 0.2), tfb.Exp()),
    ],
    ids=lambda distribution: distribution.name,
)
def test_draws_have_the_moments_of_the_distribution(distribution):
    values = draw(distribution, 3, [COUNT]).numpy()
    assert values.shape == (COUNT, *distribution.batch_shape, *distribution.event_shape)
    error = values.std(axis=0) / np.sqrt(COUNT)
    theirs = distribution.sample(COUNT, seed=1).numpy()
    limit = 4.5 * np.hypot(error, theirs.std(axis=0) / np.sqrt(COUNT))
    assert (np.abs(values.mean(axis=0) - theirs.mean(axis=0)) < limit).all()
    assert np.allclose(values.std(axis=0), theirs.std(axis=0), rtol=0.02)


def test_gradients_reach_the_parameters():
    loc, scale = tf.Variable(1.0), tf.Variable(2.0)
    with tf.GradientTape() as tape:
        value = draw(tfd.Normal(loc, scale), 0)
    to_loc, to_scale = tape.gradient(value, [loc, scale])
    assert float(to_loc) == 1.0
    assert float(to_scale) == pytest.approx((float(value) - 1) / 2, rel=1e-5)


def test_the_static_shape_is_known():
    @tf.function
    def shape(probabilities):
        return draw(tfd.Bernoulli(probs=probabilities), 0)

    concrete = shape.get_concrete_function(tf.TensorSpec([None, 8, 8, 1]))
    assert concrete.output_shapes.as_list() == [None, 8, 8, 1]


def test_a_bijector_that_adds_batch_axes_is_refused():
    shifted = tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), tfb.Shift(tf.zeros([5])))
    with pytest.raises(NotImplementedError, match="whole batch shape"):
        draw(shifted, 0)


def test_an_unknown_distribution_is_refused_with_the_remedy():
    with pytest.raises(NotImplementedError, match=r"Gamma.*draw\.register"):
        draw(tfd.Gamma(2.0, 1.0), 0)
