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
        tfd.MultivariateNormalTriL([1.0, -2.0], [[0.5, 0.0], [0.8, 1.5]]),
        tfd.Categorical(logits=[[0.0, 1.0, -1.0], [2.0, 0.0, 0.0]], dtype=tf.float32),
        tfd.MixtureSameFamily(
            tfd.Categorical(probs=[0.2, 0.8]), tfd.Independent(tfd.Normal([[0.0, 5.0], [3.0, -1.0]], 0.5), 1)
        ),
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


def test_full_covariance_and_mixtures_have_the_correlations_of_the_distribution():
    normal = tfd.MultivariateNormalTriL([1.0, -2.0], [[0.5, 0.0], [0.8, 1.5]])
    scales = [[[1.0, 0.0], [0.5, 1.0]], [[0.3, 0.0], [0.0, 0.3]]]
    components = tfd.MultivariateNormalTriL([[0.0, 0.0], [4.0, 2.0]], scales)
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.3, 0.7]), components)
    for distribution in (normal, mixture):
        values = draw(distribution, 5, [COUNT]).numpy()
        np.testing.assert_allclose(np.cov(values.T), distribution.covariance(), atol=0.03)


def test_categories_have_their_probabilities():
    draws = draw(tfd.Categorical(logits=tf.math.log([0.1, 0.6, 0.3])), 3, [COUNT]).numpy()
    found = np.bincount(draws, minlength=3) / COUNT
    assert (np.abs(found - [0.1, 0.6, 0.3]) < 4.5 * np.sqrt(0.25 / COUNT)).all()


def test_temperature_scales_noise_and_sharpens_what_is_discrete():
    normal = tfd.Independent(tfd.Normal([1.0, 2.0], 0.5), 1)
    warm, cool = draw(normal, 1, [10]), draw(normal, 1, [10], 0.1)
    np.testing.assert_allclose(cool - normal.mean(), 0.1 * (warm - normal.mean()), atol=1e-6)
    logits = tf.math.log([0.25, 0.75])
    share = draw(tfd.Categorical(logits=logits), 1, [COUNT], 0.5).numpy().mean()
    assert share == pytest.approx(0.9, abs=0.004)  # 9 / (1 + 9), squared odds
    share = draw(tfd.Bernoulli(probs=0.75, dtype=tf.float32), 1, [COUNT], 0.5).numpy().mean()
    assert share == pytest.approx(0.9, abs=0.004)


def test_mixtures_that_cannot_be_drawn_from_say_so():
    mixture = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), tfd.Laplace([0.0, 1.0], 1.0))
    with pytest.raises(NotImplementedError, match="mixture of Laplace"):
        draw(mixture, 0, [3])
