"""The pairs of losses: at known logits, at the optimum of the game, and with smoothed targets."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.gan.losses import LOSSES, smoothed

REAL, FAKE = tf.constant([2.0, -1.0, 0.0]), tf.constant([-3.0, 0.5, 0.0])


def sigmoid(values):
    return 1 / (1 + np.exp(-np.asarray(values)))


def test_losses_at_known_logits():
    real, fake = REAL.numpy(), FAKE.numpy()
    binary = -np.log(sigmoid(real)) - np.log(1 - sigmoid(fake))
    expected = {
        "minimax": (np.log(1 - sigmoid(fake)), binary),
        "non_saturating": (-np.log(sigmoid(fake)), binary),
        "least_squares": (0.5 * (fake - 1) ** 2, 0.5 * ((real - 1) ** 2 + fake**2)),
        "hinge": (-fake, np.maximum(0, 1 - real) + np.maximum(0, 1 + fake)),
        "wasserstein": (-fake, fake - real),
        "relativistic": (-np.log(sigmoid(fake - real)), -np.log(sigmoid(real - fake))),
    }
    assert set(expected) == set(LOSSES)
    for name, (generator, discriminator) in expected.items():
        np.testing.assert_allclose(LOSSES[name].generator(REAL, FAKE), generator, rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(LOSSES[name].discriminator(REAL, FAKE), discriminator, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_point_the_right_way(name):
    """The discriminator raises real logits and lowers fake ones; the generator raises fake ones."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([REAL, FAKE])
        discriminator = LOSSES[name].discriminator(REAL / 10, FAKE / 10)
        generator = LOSSES[name].generator(REAL / 10, FAKE / 10)
    assert (tape.gradient(discriminator, REAL).numpy() < 0).all()
    assert (tape.gradient(discriminator, FAKE).numpy() > 0).any()
    assert (tape.gradient(generator, FAKE).numpy() < 0).all()
    reads_real = tape.gradient(generator, REAL)
    assert (reads_real is not None) == LOSSES[name].compares


def test_the_optimal_discriminator_gives_the_jensen_shannon_divergence():
    """Goodfellow et al. (2014), theorem 1: at D = p / (p + q), the value is 2 JSD - log 4."""
    p, q = np.array([0.1, 0.2, 0.7]), np.array([0.5, 0.3, 0.2])
    logits = tf.constant(np.log(p / q), tf.float32)
    loss = LOSSES["minimax"].discriminator(logits, logits)
    real, fake = LOSSES["minimax"].discriminator(logits, tf.fill([3], -1e9)), loss
    value = -(p * real).numpy().sum() - (q * (fake - real)).numpy().sum()
    mixed = (p + q) / 2
    divergence = 0.5 * (p * np.log(p / mixed) + q * np.log(q / mixed)).sum()
    assert value == pytest.approx(2 * divergence - np.log(4), rel=1e-5)


def test_smoothing_is_the_cross_entropy_with_a_lower_target():
    real, fake = REAL.numpy(), FAKE.numpy()
    share = sigmoid(real)
    expected = -0.9 * np.log(share) - 0.1 * np.log(1 - share) - np.log(1 - sigmoid(fake))
    found = smoothed(LOSSES["non_saturating"].discriminator, 0.1)(REAL, FAKE)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    squares = smoothed(LOSSES["least_squares"].discriminator, 0.1)(REAL, FAKE)
    np.testing.assert_allclose(squares, 0.5 * ((real - 0.9) ** 2 + fake**2) + 0.5 * (1 - 0.9**2), rtol=1e-5)
