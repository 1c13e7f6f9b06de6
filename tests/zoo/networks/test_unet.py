"""U-Nets: shapes for odd sizes, what sees what, and the energy made of one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.errors import ZooError
from zoo.networks import unet, unet_energy
from zoo.networks.unet import LevelFeatures


def shaken(network: keras.Model) -> keras.Model:
    """The network with other weights than those it starts with, of which the last are 0."""
    generator = np.random.default_rng(0)
    network.set_weights([0.2 * generator.normal(size=weight.shape) for weight in network.get_weights()])
    return network


@pytest.mark.parametrize("levels", [False, True])
@pytest.mark.parametrize("shape", [(7, 5, 2), (8, 8, 1), (1, 3, 1)])
def test_images_of_any_size_keep_it(shape, levels):
    network = shaken(unet(shape, (4, 6, 8), levels=levels))
    images = np.random.default_rng(0).random((2, *shape)).astype(np.float32)
    inputs = [images, np.zeros((2, 1), np.float32)] if levels else images
    assert network(inputs).shape == (2, *shape)


@pytest.mark.parametrize(("heads", "reaches"), [(2, True), (0, False)])
def test_with_attention_all_places_see_all(heads, reaches):
    network = shaken(unet((32, 32, 1), (2, 2), heads=heads, levels=False))
    images = tf.zeros([1, 32, 32, 1])
    with tf.GradientTape() as tape:
        tape.watch(images)
        corner = network(images)[0, 0, 0, 0]
    gradient = tape.gradient(corner, images)
    assert (abs(float(gradient[0, -1, -1, 0])) > 0) == reaches


def test_levels_change_what_is_given():
    network = shaken(unet((4, 4, 1), (4,)))
    images = np.random.default_rng(0).random((2, 4, 4, 1)).astype(np.float32)
    given = [network([images, np.full((2, 1), level, np.float32)]).numpy() for level in (-3.0, 0.0)]
    assert np.abs(given[0] - given[1]).max() > 1e-3
    features = LevelFeatures(6)(np.array([[0.0], [1.0]], np.float32)).numpy()
    np.testing.assert_allclose(features[0], [1, 1, 1, 0, 0, 0], atol=1e-6)
    with pytest.raises(ZooError, match="expected an even number"):
        LevelFeatures(5)


def test_the_energy_begins_as_the_square_of_pixels():
    images = np.random.default_rng(0).random((3, 6, 5, 1)).astype(np.float32)
    energies = unet_energy((6, 5, 1), (4, 6))(images).numpy()
    np.testing.assert_allclose(energies[:, 0], 0.5 * np.square(2 * images - 1).sum(axis=(1, 2, 3)), rtol=1e-5)
    assert (shaken(unet_energy((6, 5, 1), (4, 6)))(images).numpy() >= 0).all()
