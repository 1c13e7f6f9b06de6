"""The importance-weighted bounds and their gradients, against each other and against what is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae.iwae import IWAE

SHAPE, LATENTS, COPIES = (3, 2, 1), 2, 400
IMAGES = np.random.default_rng(0).integers(0, 2, (4, *SHAPE)).astype(np.float32)


def model(**options) -> IWAE:
    keras.utils.set_random_seed(1)
    return IWAE(mlp_encoder(SHAPE, (6,)), mlp_decoder(LATENTS, SHAPE, (6,)), seed=0, **options)


def gradients(trained: IWAE, seeds: range) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean gradient of all weights over seeds, and the standard error of that mean.

    Each seed stands for `COPIES` draws of each image.
    """
    trained.compile("sgd")
    if trained.kl_warm_up:
        trained._batches.assign(50)  # half-way
    copies = tf.repeat(IMAGES, COPIES, axis=0)

    @tf.function
    def one(seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(trained.objective(copies, seed, True)["loss"])
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(loss, trained.trainable_variables)], axis=0)

    values = np.stack([one(tf.constant(seed, tf.int64)).numpy() for seed in seeds])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


@pytest.mark.parametrize(
    "options",
    [
        {"num_samples": 6},
        {"num_samples": 1},
        {"num_samples": 3, "bound": "miwae", "repeats": 2},
        {"num_samples": 6, "bound": "ciwae", "beta": 0.3},
        {"num_samples": 3, "bound": "piwae", "repeats": 2},
        {"num_samples": 6, "kl_warm_up": 100},
        {"num_samples": 6, "prior": "vamp"},
    ],
    ids=str,
)
def test_both_gradients_agree_in_expectation(options):
    plain, plain_error = gradients(model(**options), range(60))
    double, double_error = gradients(model(**options, gradient="doubly_reparameterized"), range(60, 120))
    assert (np.abs(plain - double) < 4.5 * np.hypot(plain_error, double_error) + 1e-6).all()
    assert np.hypot(plain_error, double_error).max() < 0.03 * np.abs(plain).max()


def test_the_doubly_reparameterized_gradient_is_less_noisy_once_trained():
    """Where q(z|x) is near p(z|x) all weights are alike, and so the squares of the normalized ones small."""
    trained = model(num_samples=30)
    trained.compile(keras.optimizers.Adam(1e-2))
    trained.fit(np.repeat(IMAGES, 16, axis=0), epochs=60, batch_size=32, verbose=0)
    sizes = []
    for gradient in ("reparameterized", "doubly_reparameterized"):
        again = model(num_samples=30, gradient=gradient)
        again.set_weights(trained.get_weights())
        _, error = gradients(again, range(40))
        encoder = sum(int(np.prod(weight.shape)) for weight in again.encoder.trainable_variables)
        sizes.append(np.square(error[:encoder]).sum())
    assert sizes[1] < 0.5 * sizes[0]


def gradient_by_weight(bound: str, seed: int, **options) -> dict[tuple[bool, int], np.ndarray]:
    """Returns the gradient of each weight, by whether it is of the inference network, and its number."""
    trained = model(bound=bound, **options)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(trained.objective(tf.constant(IMAGES), seed, True)["loss"])
    variables = trained.trainable_variables
    inference = {id(each) for part in (trained.encoder, trained.posterior_layer) for each in part.trainable_variables}
    found = enumerate(tape.gradient(loss, variables))
    return {(id(variables[index]) in inference, index): np.array(value) for index, value in found}


def test_piwae_gives_each_network_the_gradient_of_its_own_bound():
    """At equal draws: to the encoder that of "miwae", to the decoder and the prior that of "iwae" with all of them."""
    for seed in range(3):
        both = gradient_by_weight("piwae", seed, num_samples=3, repeats=2, prior="gaussian_mixture")
        copies = gradient_by_weight("miwae", seed, num_samples=3, repeats=2, prior="gaussian_mixture")
        tight = gradient_by_weight("iwae", seed, num_samples=6, prior="gaussian_mixture")
        assert len({inference for inference, _ in both}) == 2
        for name, value in both.items():
            own, other = (copies, tight) if name[0] else (tight, copies)
            np.testing.assert_allclose(value, own[name], rtol=2e-4, atol=1e-5)
            assert not np.allclose(value, other[name], rtol=1e-2, atol=1e-4)


def test_combined_bounds_lie_between_the_elbo_and_the_tightest():
    def mean(**options):
        trained = model(**options)
        trained.compile("sgd")
        values = trained.objective(tf.repeat(IMAGES, 400, axis=0), 3, False)
        return np.mean(values["bound"]), np.mean(values["elbo"])

    tight, elbo = mean(num_samples=12)
    copies, _ = mean(num_samples=4, bound="miwae", repeats=3)
    mixed, _ = mean(num_samples=12, bound="ciwae", beta=0.5)
    assert elbo < copies < tight
    assert mixed == pytest.approx((elbo + tight) / 2, abs=0.01)
    assert mean(num_samples=4, bound="piwae", repeats=3)[0] == pytest.approx(tight, abs=0.01)


def test_the_bound_reported_is_one_during_warm_up_too():
    trained = model(num_samples=12, kl_warm_up=100)
    trained.compile("sgd")
    early = trained.objective(tf.repeat(IMAGES, 400, axis=0), 3, True)
    late = trained.objective(tf.repeat(IMAGES, 400, axis=0), 3, False)
    np.testing.assert_allclose(early["bound"], late["bound"], rtol=1e-4)
    assert np.mean(early["loss"]) < np.mean(late["loss"]) - 0.05


def test_one_draw_is_the_vae_up_to_its_kl_in_closed_form():
    trained = model(num_samples=1)
    trained.compile("sgd")
    plain = zoo.VAE(trained.encoder, trained.decoder, trained.posterior_layer)
    images = tf.repeat(IMAGES, 3000, axis=0)
    ours, theirs = (np.mean(each.objective(images, 5, False)["loss"]) for each in (trained, plain))
    assert ours == pytest.approx(theirs, abs=0.03)


def test_training_raises_the_bound():
    trained = model(num_samples=5, gradient="doubly_reparameterized")
    trained.compile(keras.optimizers.Adam(1e-2))
    images = np.repeat(IMAGES, 16, axis=0)
    history = trained.fit(images, epochs=30, batch_size=16, verbose=0).history
    assert history["bound"][-1] > history["bound"][0] + 0.5
    assert history["bound"][-1] > history["elbo"][-1]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_samples": 0}, "num_samples is 0"),
        ({"bound": "iwa"}, "unknown bound 'iwa'.*iwae"),
        ({"gradient": "dreg"}, "unknown gradient"),
        ({"repeats": 2}, "raise num_samples"),
        ({"bound": "miwae"}, "of one copy is 'iwae': give repeats"),
        ({"bound": "ciwae", "beta": 1.5}, "beta is 1.5"),
        ({"free_bits": 1.0}, "no free_bits"),
        (
            {"posterior": "inverse_autoregressive_flow", "gradient": "doubly_reparameterized"},
            "has no fast density at points that are not its own draws",
        ),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(zoo.ZooError, match=message):
        model(**options)
