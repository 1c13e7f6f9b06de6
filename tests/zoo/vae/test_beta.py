"""What the weights of the KL do to the loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae.beta import BetaVAE

SHAPE = (3, 2, 1)
IMAGES = tf.constant(np.random.default_rng(0).integers(0, 2, (8, *SHAPE)).astype(np.float32))


def model(kind=BetaVAE, **options):
    keras.utils.set_random_seed(1)
    made = kind(mlp_encoder(SHAPE, (6,)), mlp_decoder(2, SHAPE, (6,)), seed=0, **options)
    made.compile("sgd")
    return made


@pytest.mark.parametrize("training", [True, False])
def test_the_loss_weighs_the_kl(training):
    values = model(beta=3.0).objective(IMAGES, 1, training)
    np.testing.assert_allclose(values["loss"], 3 * values["kl"] - values["reconstruction"], rtol=1e-5)


def test_the_capacity_rises_with_the_steps():
    trained = model(beta=10.0, capacity=4.0, capacity_steps=100)
    for step, capacity in ((0, 0.0), (50, 2.0), (500, 4.0)):
        trained._batches.assign(step)
        values = trained.objective(IMAGES, 1, True)
        distance = np.abs(values["kl"].numpy().mean() - capacity)
        np.testing.assert_allclose(values["loss"], 10 * distance - values["reconstruction"], rtol=1e-5)


def test_warm_up_starts_without_the_kl_and_ends_with_all_of_it():
    trained = model(zoo.VAE, kl_warm_up=10)
    for step, weight in ((0, 0.0), (5, 0.5), (10, 1.0), (99, 1.0)):
        trained._batches.assign(step)
        values = trained.objective(IMAGES, 1, True)
        np.testing.assert_allclose(values["loss"], weight * values["kl"] - values["reconstruction"], rtol=1e-5)
        evaluated = trained.objective(IMAGES, 1, False)
        np.testing.assert_allclose(evaluated["loss"], -evaluated["elbo"], rtol=1e-5)


def test_free_bits_leave_latents_below_them_alone():
    """Above its free bits a latent pays what it costs; below, no gradient pushes its KL down.

    What counts is the mean over the batch of each latent: no image's own KL, and not their sum.
    """
    kl = tf.constant([[0.1, 5.0], [3.0, 0.2], [0.2, 6.0]])  # means 1.1 and 3.73
    for free_bits, expected, moves in ((0.0, 4.8333, (1, 1)), (2.0, 5.7333, (0, 1)), (50.0, 100.0, (0, 0))):
        trained = model(zoo.VAE, free_bits=free_bits)
        with tf.GradientTape() as tape:
            tape.watch(kl)
            penalty = tf.reduce_mean(trained.kl_penalty(kl, True))
        assert float(penalty) == pytest.approx(expected, abs=1e-3)
        gradient = tape.gradient(penalty, kl).numpy()
        np.testing.assert_allclose(gradient, np.tile(np.array(moves) / 3, (3, 1)), atol=1e-6)


def test_a_capacity_is_compared_with_the_mean_of_estimates():
    """Of a KL known by single draws only, each draw alone is further from the capacity than their mean."""
    trained = model(beta=1.0, capacity=0.5, capacity_steps=1, prior="gaussian_mixture")
    trained._batches.assign(5)
    values = trained.objective(tf.repeat(IMAGES, 500, axis=0), 1, True)
    penalty = np.mean(values["loss"] + values["reconstruction"])
    assert penalty == pytest.approx(abs(np.mean(values["kl"]) - 0.5), rel=1e-4)


def test_neither_compiling_nor_saving_starts_a_warm_up_anew(tmp_path):
    images = np.repeat(IMAGES.numpy(), 4, axis=0)
    trained = model(zoo.VAE, kl_warm_up=10)
    trained.compile()
    trained.fit(images, batch_size=len(images), epochs=4, verbose=0)
    assert float(trained._warm_up()) == pytest.approx(0.4)
    trained.compile()
    assert float(trained._warm_up()) == pytest.approx(0.4)
    trained.save_weights(tmp_path / "model.weights.h5")
    trained.save(tmp_path / "model.keras")
    fresh = model(zoo.VAE, kl_warm_up=10)
    fresh.load_weights(tmp_path / "model.weights.h5")
    for again in (fresh, zoo.load_model(tmp_path / "model.keras")):
        assert float(again._warm_up()) == pytest.approx(0.4)
    assert float(trained.objective(IMAGES, 1, True)["loss"][0]) == float(fresh.objective(IMAGES, 1, True)["loss"][0])


def test_a_collapsed_posterior_is_warned_of():
    images = np.repeat(IMAGES.numpy(), 8, axis=0)
    trained = model(beta=1e4)
    trained.compile(keras.optimizers.Adam(1e-2))
    with pytest.warns(zoo.vae.PosteriorCollapse, match="kl_warm_up"):
        trained.fit(images, epochs=30, verbose=0)


def test_bad_options():
    for options, message in (
        ({"beta": 0.0}, "beta is 0.0"),
        ({"capacity": -1.0}, "capacity is -1.0"),
        ({"capacity": 5.0, "free_bits": 1.0}, "give one of them"),
        ({"capacity": 5.0, "kl_warm_up": 9}, "leave kl_warm_up out"),
        ({"kl_warm_up": -1}, "kl_warm_up is -1"),
        ({"free_bits": -0.5}, "free_bits is -0.5"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            model(**options)
