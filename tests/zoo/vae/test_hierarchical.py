"""The hierarchy: its bound, its densities, its verbs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.networks import residual_decoder, residual_encoder
from zoo.vae.hierarchical import HierarchicalVAE
from zoo.vae.top_down import TopDownLevel

SHAPE = (6, 4, 1)


def model(shape=SHAPE, latents=((2,), (1, 2)), hidden=6, filters=4, **options) -> HierarchicalVAE:
    keras.utils.set_random_seed(1)
    encoder = residual_encoder(shape, (filters,), 1, hidden)
    shapes = encoder.output_shape
    finest = shapes[-1] if isinstance(shapes, list) else shapes
    return HierarchicalVAE(encoder, residual_decoder(finest[1:], shape, (3,)), latents, seed=0, **options)


def stirred(**options) -> HierarchicalVAE:
    """A model whose weights are away from their start, where posteriors equal priors."""
    made = model(**options)
    generator = np.random.default_rng(0)
    made.set_weights([weight + 0.3 * generator.normal(size=weight.shape) for weight in made.get_weights()])
    return made


def test_likelihood_over_all_binary_images_sums_to_one():
    """With weights away from their start: densities of every level have to be right for this."""
    shape = (2, 2, 1)
    made = stirred(shape=shape, latents=((1,), (1,)))
    every = np.array([[(index >> bit) & 1 for bit in range(4)] for index in range(16)], np.float32).reshape(-1, *shape)
    assert np.exp(made.log_likelihood(every, 20_000).per_image).sum() == pytest.approx(1, abs=0.02)


def test_all_levels_may_be_at_one_resolution():
    """Keras then gives one tensor where it else gives a list."""
    made = stirred(hidden=0, latents=((1, 2),))
    images = np.random.default_rng(0).integers(0, 2, (5, *SHAPE)).astype(np.float32)
    made.compile()
    made.fit(images, verbose=0)
    assert made.encode(images).loc.shape == (5, made.latent_size)
    assert made.sample(2).shape == (2, *SHAPE)
    assert np.isfinite(made.log_likelihood(images, 3).mean)
    assert len(zoo.vae.diagnose(made, images).kl) == made.latent_size


def test_the_elbo_is_the_mean_log_weight():
    made, images = stirred(), np.random.default_rng(1).integers(0, 2, (3, *SHAPE)).astype(np.float32)
    one = tf.function(lambda seed: made.elbo(images, seed)["elbo"], autograph=False)
    elbo = np.array([one(tf.constant(seed, tf.int64)) for seed in range(400)])
    weights = made.weigher(images)(4000, 7).numpy()
    error = np.hypot(elbo.std(axis=0) / 20, weights.std(axis=0) / np.sqrt(4000))
    assert (np.abs(elbo.mean(axis=0) - weights.mean(axis=0)) < 4.5 * error).all()


def test_memory_follows_the_features_of_all_levels(monkeypatch):
    made, chunks = stirred(), []
    images = np.random.default_rng(0).integers(0, 2, (20, *SHAPE)).astype(np.float32)
    features = [(1, 1, 6), (3, 2, 4)]  # and the states: one level at the coarsest, two at the finest
    values = 4 * sum(rows * columns * filters for rows, columns, filters in (*features, *features, features[1]))
    monkeypatch.setattr("zoo.metrics.likelihood._VALUES_AT_ONCE", 7 * values)

    class Counted(keras.utils.Progbar):
        def __init__(self, target, **options):
            chunks.append(target)
            super().__init__(target, **{**options, "verbose": 0})

    monkeypatch.setattr("keras.utils.Progbar", Counted)
    made.log_likelihood(images, 3, verbose=True)
    assert chunks == [3]


def test_latents_are_one_vector_outside():
    made = stirred()
    assert made.latent_size == 2 + 3 * 2 * (1 + 2)
    images = np.random.default_rng(0).random((5, *SHAPE), np.float32)
    loc, scale = made.encode(images)
    assert loc.shape == scale.shape == (5, made.latent_size)
    assert (scale > 0).all()
    np.testing.assert_allclose(made.decode(loc), made.reconstruct(images), atol=1e-6)


def test_draws_follow_the_priors_down():
    """At temperature 1 the latents of the first level have the prior's moments, wherever its weights put it."""
    made = stirred()
    latents = made.draw_latents(20_000, 3).numpy()[:, :2]
    _, prior = made.levels[0].read_prior(np.asarray(made._first_state)[None])
    loc, scale = prior.distribution.loc.numpy().ravel(), prior.distribution.scale.numpy().ravel()
    assert (np.abs(latents.mean(axis=0) - loc) < 4.5 * scale / np.sqrt(20_000)).all()
    np.testing.assert_allclose(latents.std(axis=0), scale, rtol=0.03)
    cool = made.draw_latents(20_000, 3, 0.5).numpy()[:, :2]
    np.testing.assert_allclose(cool - loc, 0.5 * (latents - loc), atol=1e-5)


def test_a_temperature_cools_every_level():
    """Given the latents above, each level lies half as many standard deviations from its prior's location."""
    made = stirred()
    noise, cool = made._noise(50, 3), made.draw_latents(50, 3, 0.5)
    parts = [tf.reshape(part, each.shape) for part, each in zip(tf.split(cool, made._sizes, -1), noise, strict=True)]

    def choose(index, _, prior):
        normal = prior.distribution
        np.testing.assert_allclose((parts[index] - normal.loc) / normal.scale, 0.5 * noise[index], atol=1e-4)
        return parts[index]

    assert len(parts) == 3
    made._descend(50, choose)


def test_the_kl_is_known_by_level():
    made, images = stirred(), np.random.default_rng(1).integers(0, 2, (3, *SHAPE)).astype(np.float32)
    levels = made.terms(images, 5)[1].numpy()
    by_latent = np.split(made.inspect(images, 5)["kl"].numpy(), np.cumsum(made.latent_groups)[:-1], axis=1)
    np.testing.assert_allclose(levels, np.stack([part.sum(axis=1) for part in by_latent], axis=1), rtol=1e-5)
    assert levels.shape == (3, 3)


def test_a_prior_or_posterior_of_ones_own_is_refused():
    for name in ("prior", "posterior"):
        with pytest.raises(zoo.ZooError, match=f"a Normal {name} at each level"):
            model(**{name: "vamp"})


def test_an_activation_that_keras_does_not_know_is_refused():
    with pytest.raises(zoo.ZooError, match="no activation 'elou'"):
        model(activation="elou")


def test_posteriors_start_at_the_priors():
    kl = model().elbo(np.random.default_rng(0).random((5, *SHAPE), np.float32), 1)["kl"]
    np.testing.assert_allclose(kl, 0, atol=1e-3)


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 20, 1), (32, 32, 3)])
def test_any_height_width_and_channels(shape):
    keras.utils.set_random_seed(0)
    encoder = residual_encoder(shape, (4, 6), 1, 8)
    made = HierarchicalVAE(encoder, residual_decoder(encoder.output_shape[-1][1:], shape, (3,)), ((2,), (1,), (1,)))
    assert made.sample(2).shape == (2, *shape)


def test_a_level_of_the_same_size_with_other_filters_keeps_places():
    """A state of one bright place is widened to one with the same place changed, and no other."""
    level = TopDownLevel(1, 0)
    level.build((None, 3, 3, 4), (None, 3, 3, 2))
    state = np.zeros((1, 3, 3, 4), np.float32)
    state[0, 0, 2] = 1.0
    changed = level._widen(state).numpy() != level._widen(np.zeros_like(state)).numpy()
    np.testing.assert_array_equal(changed.any(axis=-1)[0].nonzero(), [[0], [2]])


def test_training_raises_the_bound(digits):
    made = model(shape=(8, 8, 1), hidden=32, filters=16, free_bits=1.0)
    made.compile(keras.optimizers.Adam(3e-3))
    history = made.fit(digits[:1280], epochs=12, batch_size=32, verbose=0).history
    assert history["elbo"][-1] > history["elbo"][0] + 5
    assert history["kl"][-1] > 3


def test_parts_that_do_not_fit():
    encoder = residual_encoder(SHAPE, (4,), 1, 6)
    decoder = residual_decoder((3, 2, 4), SHAPE, (3,))
    images = keras.Input(SHAPE)
    fine = keras.layers.Conv2D(4, 4, 2, padding="same")(images)
    uneven = keras.Model(images, [keras.layers.MaxPooling2D((3, 1))(fine), fine])
    for arguments, message in (
        ((encoder, decoder, ((2,),)), "2 resolutions, and latents name 1"),
        ((encoder, decoder, ((2,), ())), "two or more levels"),
        ((encoder, decoder, (2, 1)), r"expected a list of channels a resolution"),
        ((encoder, decoder, ((1.5,), (1,))), "channels is 1.5"),
        ((encoder, decoder, ((2,), (1,)), "bernoulli", -1), "blocks is -1"),
        ((encoder, residual_decoder((3, 2, 5), SHAPE, (3,)), ((2,), (1,))), r"finest features are \[3, 2, 4\]"),
        (
            (uneven, decoder, ((2,), (1,))),
            r"features of \[1, 2\] are followed by ones of \[3, 2\]: each resolution is as large",
        ),
        (
            (encoder, residual_decoder((3, 2, 4), (6, 4, 2), (3,)), ((2,), (1,))),
            r"the decoder gives \[6, 4, 2\], but Bernoulli .* needs \[6, 4, 1\]",
        ),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            HierarchicalVAE(*arguments)


def test_training_reaches_the_encoder():
    images = keras.Input(SHAPE)
    plain = model()
    dropped = keras.Model(images, plain.encoder(keras.layers.Dropout(0.5, seed=0)(images)))
    made = HierarchicalVAE(dropped, plain.decoder, plain.latents, seed=0)
    generator = np.random.default_rng(0)
    made.set_weights([weight + 0.3 * generator.normal(size=weight.shape) for weight in made.get_weights()])
    given = generator.integers(0, 2, (4, *SHAPE)).astype(np.float32)
    values = [made.objective(tf.constant(given), 0, training)["kl"] for training in (False, False, True)]
    np.testing.assert_array_equal(values[0], values[1])
    assert not np.allclose(values[1], values[2])


def test_a_level_that_has_learned_nothing_keeps_the_prior_of_its_place():
    """Location and scale of the posterior are relative to the prior's (Vahdat and Kautz 2020, section 3.2)."""
    level = TopDownLevel(2)
    level.build((None, 3, 2, 4), (None, 3, 2, 4))
    generator = np.random.default_rng(0)
    level._prior.set_weights([0.5 * generator.normal(size=weight.shape) for weight in level._prior.get_weights()])
    state, features = (tf.constant(generator.normal(size=(5, 3, 2, 4)), tf.float32) for _ in range(2))
    state, prior = level.read_prior(state)
    posterior = level.posterior(state, features, prior)
    assert np.abs(prior.distribution.scale - 1).max() > 0.1
    np.testing.assert_allclose(posterior.distribution.loc, prior.distribution.loc, atol=1e-6)
    np.testing.assert_allclose(posterior.distribution.scale, prior.distribution.scale, rtol=2e-3)
