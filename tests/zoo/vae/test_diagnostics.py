"""Diagnostics of latents, and paths through them."""

import keras
import numpy as np
import pytest

import zoo
from zoo.networks import mlp_decoder, mlp_encoder, residual_decoder, residual_encoder
from zoo.paths import spherical
from zoo.vae import PosteriorCollapse, diagnose


def test_diagnostics_add_up(small_vae, digits):
    found = diagnose(small_vae, digits[:300])
    elbo = small_vae.evaluate(digits[:300], verbose=0, return_dict=True)["elbo"]
    assert found.rate + found.distortion == pytest.approx(-elbo, abs=0.5)
    assert found.kl.shape == (4,)
    assert found.rate == pytest.approx(found.kl.sum(), rel=1e-5)
    assert found.active_units == (found.location_variance > 0.01).sum() > 0


def test_inactive_units_are_told_and_a_collapse_is_warned_of(small_vae, digits):
    model = type(small_vae).from_config(small_vae.get_config())
    kernel, bias = small_vae.posterior_layer.get_weights()
    model.set_weights(small_vae.get_weights())
    kernel[:, 1] = 0
    model.posterior_layer.set_weights([kernel, bias])
    assert diagnose(model, digits[:100]).location_variance[1] < 1e-9
    model.posterior_layer.set_weights([0 * kernel, 0 * bias])
    with pytest.warns(PosteriorCollapse, match="free_bits"):
        assert diagnose(model, digits[:100]).active_units == 0


def test_a_dead_level_of_a_hierarchy_is_found(digits):
    """Its posterior is its prior, though the locations of both move with the level above."""
    keras.utils.set_random_seed(0)
    encoder = residual_encoder((8, 8, 1), (4,), 1, 6)
    decoder = residual_decoder(encoder.output_shape[-1][1:], (8, 8, 1), (3,))
    model = zoo.HierarchicalVAE(encoder, decoder, ((3,), (1,)), seed=0)
    generator = np.random.default_rng(0)
    model.set_weights([weight + 0.3 * generator.normal(size=weight.shape) for weight in model.get_weights()])
    alive = diagnose(model, digits[:200])
    assert alive.kl.shape == (model.latent_size,)
    mean_kl = -model.elbo(digits[:200], 3)["elbo"] + model.elbo(digits[:200], 3)["reconstruction"]
    assert alive.rate == pytest.approx(float(np.mean(mean_kl)), rel=0.2)
    below = model.levels[1]
    below._posterior.set_weights([0 * weight for weight in below._posterior.get_weights()])
    below._prior.set_weights([10 * weight for weight in below._prior.get_weights()])
    with pytest.warns(PosteriorCollapse, match="none of the latents of level 2 is active"):
        found = diagnose(model, digits[:200])
    assert found.location_variance[3:].max() < 1e-6
    assert found.kl[3:].max() < 1e-3
    assert model.encode(digits[:200]).loc[:, 3:].var(axis=0).max() > 0.01
    assert found.active_units <= 3


def test_what_cannot_be_diagnosed_is_refused(small_vae, digits):
    levels = zoo.vae.likelihoods.Categorical(levels=16)
    decoder = mlp_decoder(2, (8, 8, levels.parameters_for(1)), (4,))
    for model, images, message in (
        (small_vae, digits[:1], "pass at least 2"),
        (zoo.VAE(mlp_encoder((8, 8, 1), (4,)), decoder, likelihood=levels), digits[:9], r"levels=17"),
        (zoo.Autoencoder(mlp_encoder((8, 8, 1), (4,)), mlp_decoder(2, (8, 8, 1), (4,))), digits[:9], "no posterior"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            diagnose(model, images)


def test_labels_of_any_shape_that_encode_takes(digits):
    networks = (mlp_encoder((8, 8, 1), (4,), num_classes=3), mlp_decoder(2, (8, 8, 1), (4,), num_classes=3))
    model = zoo.ConditionalVAE(*networks)
    labels = np.arange(30) % 3
    flat, column = (diagnose(model, digits[:30], labels=each) for each in (labels, labels[:, None]))
    assert flat.rate == column.rate
    with pytest.raises(zoo.ZooError, match="labels"):
        diagnose(model, digits[:30])


def test_spherical_paths_keep_the_norm_and_the_ends():
    start, end = np.array([[3.0, 0, 0], [1, 2, 2]]), np.array([[0, 3.0, 0], [2, -1, 2]])
    path = spherical(start, end, 5)
    np.testing.assert_allclose(path[:, 0], start, atol=1e-12)
    np.testing.assert_allclose(path[:, -1], end, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 3)
    np.testing.assert_allclose(path[0, 2], [3 / np.sqrt(2), 3 / np.sqrt(2), 0])


@pytest.mark.parametrize("end", [[2.0, 0], [-1.0, 0], [0, 0]])
def test_paths_without_a_great_circle_are_straight(end):
    path = spherical(np.array([[1.0, 0]]), np.array([end]), 3)
    np.testing.assert_allclose(path[0, 1], (np.array([1.0, 0]) + end) / 2)


def test_interpolate_and_traverse(small_vae, digits):
    path = small_vae.interpolate(digits[:2], digits[2:4], steps=5)
    assert path.shape == (2, 5, 8, 8, 1)
    np.testing.assert_allclose(path[:, 0], small_vae.reconstruct(digits[:2]), atol=1e-5)
    np.testing.assert_allclose(path[:, -1], small_vae.reconstruct(digits[2:4]), atol=1e-5)
    moved = small_vae.traverse(digits[0], dimensions=[2, 0], extent=2.0, steps=3)
    assert moved.shape == (2, 3, 8, 8, 1)
    latents = np.repeat(small_vae.encode(digits[:1]).loc, 3, axis=0)
    latents[:, 2] = [-2, 0, 2]
    np.testing.assert_allclose(moved[0], small_vae.decode(latents), atol=1e-6)


def test_temperature_scales_the_noise(small_vae):
    hot, cool = small_vae.draw_latents(50, 3, 1.0).numpy(), small_vae.draw_latents(50, 3, 0.25).numpy()
    np.testing.assert_allclose(cool, 0.25 * hot, rtol=1e-6)
    np.testing.assert_allclose(
        small_vae.run("sample", n=4, seed=3, temperature=0.25)["image"], small_vae.sample(4, 3, temperature=0.25)
    )


def test_bad_arguments(small_vae, digits):
    for call, message in (
        (lambda: small_vae.sample(1, temperature=0.0), "temperature is 0.0"),
        (
            lambda: small_vae.sample(1, temperature=1e7),
            "'temperature' .* is 10000000.0, expected 1e-06 to",
        ),
        (lambda: small_vae.sample(1, temperature=float("nan")), "temperature is nan"),
        (lambda: small_vae.interpolate(digits[:2], digits[:1]), "as many of both"),
        (lambda: small_vae.interpolate(digits[:1], digits[:1], steps=1), "steps is 1"),
        (lambda: small_vae.traverse(digits[0], dimensions=[4]), "0 to 3"),
        (lambda: small_vae.traverse(digits[:2]), r"image has shape \[2, 8, 8, 1\].*Pass one image, images\[0\]"),
        (lambda: small_vae.traverse(digits[0] * 255), "range from 0 to .*divide by 255"),
        (lambda: small_vae.decode(np.zeros((2, 5), np.float32)), r"expected \[batch, 4\]"),
        (lambda: small_vae.log_likelihood(digits[:2], num_samples=0), "num_samples is 0"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            call()
