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
        trained.optimizer.iterations.assign(step)
        values = trained.objective(IMAGES, 1, True)
        distance = np.abs(values["kl"].numpy() - capacity)
        np.testing.assert_allclose(values["loss"], 10 * distance - values["reconstruction"], rtol=1e-5)


def test_warm_up_starts_without_the_kl_and_ends_with_all_of_it():
    trained = model(zoo.VAE, kl_warm_up=10)
    for step, weight in ((0, 0.0), (5, 0.5), (10, 1.0), (99, 1.0)):
        trained.optimizer.iterations.assign(step)
        values = trained.objective(IMAGES, 1, True)
        np.testing.assert_allclose(values["loss"], weight * values["kl"] - values["reconstruction"], rtol=1e-5)
        evaluated = trained.objective(IMAGES, 1, False)
        np.testing.assert_allclose(evaluated["loss"], -evaluated["elbo"], rtol=1e-5)


def test_free_bits_leave_latents_below_them_alone():
    """Above its free bits a latent pays what it costs; below, no gradient pushes its KL down."""
    for free_bits, moves in ((0.0, True), (50.0, False)):
        trained = model(zoo.VAE, free_bits=free_bits)
        with tf.GradientTape() as tape:
            reconstruction, kl = trained.terms(IMAGES, 1, True)
            penalty = tf.reduce_mean(trained.kl_penalty(kl, True))
        assert kl.shape == (8, 2)
        assert float(penalty) == pytest.approx(100.0 if free_bits else float(tf.reduce_sum(kl)) / 8, rel=1e-5)
        gradient = tape.gradient(penalty, trained.posterior_layer.trainable_variables[0])
        assert (gradient is not None and bool(tf.reduce_any(gradient != 0))) == moves
        assert reconstruction.shape == (8,)


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
        ({"kl_warm_up": -1}, "kl_warm_up is -1"),
        ({"free_bits": -0.5}, "free_bits is -0.5"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            model(**options)
