"""Latents of images: against the mode that is known of a linear generator, and of images that were generated."""

import keras
import numpy as np
import pytest

import zoo
from zoo.networks.dcgan import dcgan_discriminator, dcgan_generator

SHAPE = (8, 8, 1)


def test_projection_finds_the_latents_of_a_linear_generator():
    """Of a linear generator the mode is known: (W W^T + s^2) z = W (x - b), with images as rows x = z W + b."""
    rng = np.random.default_rng(0)
    weights, scale = 0.02 * rng.normal(size=(4, 64)).astype(np.float32), 0.1
    dense = keras.layers.Dense(64, bias_initializer=keras.initializers.Constant(0.5), kernel_initializer="zeros")
    generator = keras.Sequential([keras.Input((4,)), dense, keras.layers.Reshape(SHAPE)])
    model = zoo.GAN(generator, dcgan_discriminator(SHAPE, (4,)), average=0.0)
    dense.kernel.assign(weights)
    images = np.clip(0.5 + 0.1 * rng.normal(size=(5, *SHAPE)), 0, 1).astype(np.float32)
    moved = weights @ (images.reshape(5, 64) - 0.5).T
    expected = np.linalg.solve(weights @ weights.T + scale**2 * np.eye(4), moved).T
    found = model.project(images, steps=400, step_size=0.05, starts=2, scale=scale)
    np.testing.assert_allclose(found.latents, expected, atol=2e-3)
    np.testing.assert_allclose(found.images, model.generate(found.latents), atol=1e-5)
    np.testing.assert_allclose(found.error, np.sqrt(np.square(found.images - images).mean(axis=(1, 2, 3))), rtol=1e-4)


def test_projection_comes_near_to_images_that_the_generator_makes():
    keras.utils.set_random_seed(1)
    model = zoo.GAN(dcgan_generator(SHAPE, 4, (8, 4)), dcgan_discriminator(SHAPE, (4, 8)), seed=0)
    images = model.sample(6, seed=1)
    found = model.project(images, scale=0.01, steps=300)
    assert found.error.max() < 0.3 * np.sqrt(np.square(images - images.mean(axis=0)).mean())


def test_projection_takes_labels():
    keras.utils.set_random_seed(1)
    generator = dcgan_generator(SHAPE, 4, (8, 4), num_classes=3)
    model = zoo.ConditionalGAN(generator, dcgan_discriminator(SHAPE, (4, 8), num_classes=3), seed=0)
    images = model.sample(3, seed=1)
    found = model.project(images, np.arange(3), steps=20)
    np.testing.assert_allclose(found.images, model.generate(found.latents, np.arange(3)), atol=1e-5)
    with pytest.raises(zoo.ZooError, match="is conditional: pass labels"):
        model.project(images)


@pytest.mark.parametrize("options", [{"starts": 0}, {"steps": 1.5}, {"scale": 0.0}, {"step_size": -1.0}, {"seed": -1}])
def test_numbers_out_of_range(options):
    model = zoo.GAN(dcgan_generator(SHAPE, 4, (4,)), dcgan_discriminator(SHAPE, (4,)))
    with pytest.raises(zoo.ZooError, match=f"{next(iter(options))} is"):
        model.project(np.zeros((1, *SHAPE), np.float32), **options)
