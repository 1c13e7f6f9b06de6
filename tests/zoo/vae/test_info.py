"""MMD, and the loss that it is part of."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae import info
from zoo.vae.info import KERNELS, InfoVAE, maximum_mean_discrepancy

SHAPE = (3, 2, 1)
IMAGES = tf.constant(np.random.default_rng(0).integers(0, 2, (32, *SHAPE)).astype(np.float32))


def model(**options):
    keras.utils.set_random_seed(1)
    made = InfoVAE(mlp_encoder(SHAPE, (6,)), mlp_decoder(2, SHAPE, (6,)), seed=0, **options)
    made.compile("sgd")
    return made


@pytest.mark.parametrize("kernel", KERNELS)
def test_mmd_is_zero_for_one_distribution_and_above_for_two(kernel):
    generator = np.random.default_rng(0)

    def estimates(shift):
        pairs = generator.normal(size=(200, 2, 50, 3)).astype(np.float32)
        return np.array([maximum_mean_discrepancy(one, two + shift, kernel).numpy() for one, two in pairs])

    same, other = estimates(0.0), estimates(1.0)
    assert abs(same.mean()) < 4 * same.std() / np.sqrt(200)
    assert other.mean() > 10 * same.std()


def test_gaussian_mmd_in_closed_form():
    """E[exp(-|x - y|^2 / d)] of Normal draws at distance m: (1 + 4/d)^(-d/2) exp(-m^2 / (d + 4))."""
    generator, size, shift = np.random.default_rng(1), 3, 1.5
    one, two = generator.normal(size=(2, 3000, size)).astype(np.float32)
    two[:, 0] += shift
    exact = 2 * (1 + 4 / size) ** (-size / 2) * (1 - np.exp(-(shift**2) / (size + 4)))
    assert float(maximum_mean_discrepancy(one, two, "gaussian")) == pytest.approx(exact, rel=0.05)


def test_the_loss_is_put_together_as_documented():
    values = model(alpha=0.4, mmd_weight=7.0).objective(IMAGES, 1, True)
    expected = 0.6 * values["kl"] + 6.4 * values["mmd"] - values["reconstruction"]
    np.testing.assert_allclose(values["loss"], expected, rtol=1e-5)


def test_warm_up_and_free_bits_weigh_the_kl():
    for options, kl in (
        ({"kl_warm_up": 100}, lambda values: 0.5 * values["kl"]),
        ({"free_bits": 100.0}, lambda _: 200),
    ):
        made = model(alpha=0.4, mmd_weight=7.0, **options)
        if made.kl_warm_up:
            made._batches.assign(50)  # half-way
        values = made.objective(IMAGES, 1, True)
        expected = 0.6 * kl(values) + 6.4 * values["mmd"] - values["reconstruction"]
        np.testing.assert_allclose(values["loss"], expected, rtol=1e-5)


def test_alpha_0_lambda_1_is_the_vae():
    values = model(alpha=0.0, mmd_weight=1.0).objective(IMAGES, 1, False)
    np.testing.assert_allclose(values["loss"], -values["elbo"], rtol=1e-5)


def test_bad_options():
    for options, message in (
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"alpha": 1.0, "kl_warm_up": 5}, "KL has no weight"),
        ({"alpha": 1.0, "free_bits": 0.5}, "KL has no weight"),
        ({"alpha": -2.0, "mmd_weight": 1.0}, "Raise mmd_weight to 3"),
        ({"kernel": "gausian"}, "unknown kernel.*gaussian"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            model(**options)


def test_the_default_kernel_of_two_points():
    """C / (C + d^2) for each width, C = width * 2 size: here size is 2, and d^2 is 2."""
    first, second = tf.zeros([1, 2]), tf.ones([1, 2])
    expected = sum(4 * width / (4 * width + 2) for width in info._WIDTHS)
    assert float(info._inverse_multiquadratic(first, second)[0, 0]) == pytest.approx(expected, rel=1e-5)


def test_a_prior_with_weights_is_not_moved_by_the_mmd():
    networks = (mlp_encoder((3, 2, 1), (6,)), mlp_decoder(2, (3, 2, 1), (6,)))
    model = zoo.InfoVAE(*networks, prior="gaussian_mixture", alpha=1.0, mmd_weight=10.0, seed=0)
    images = tf.constant(np.random.default_rng(0).integers(0, 2, (16, 3, 2, 1)).astype(np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model.objective(images, 0, False)["mmd"])
    moved = tape.gradient(loss, [weight.value for weight in model.prior_layer.trainable_variables])
    assert all(each is None for each in moved)
