"""Networks whose features images are compared in."""

import keras
import numpy as np
import pytest

import zoo
from zoo.metrics import features
from zoo.metrics.features import feature_network

IMAGES = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)


def saved(path, *layers):
    keras.Sequential(list(layers)).save(path)
    return path


def test_a_network_for_images_of_any_size(tmp_path):
    pooled = keras.layers.GlobalAveragePooling2D()
    file = saved(tmp_path / "any.keras", keras.Input((None, None, 1)), keras.layers.Conv2D(3, 3), pooled)
    network = feature_network(file)
    assert network.features(IMAGES).shape == (5, 3)
    assert network.features(IMAGES[:, :6]).shape == (5, 3)
    assert (network.name, network.logits) == ("any.keras", None)


def test_files_that_are_no_feature_networks(tmp_path):
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes(b"PK\x03\x04 no model")
    with pytest.raises(zoo.ZooError, match="cannot be read as a Keras model"):
        feature_network(damaged)
    with pytest.raises(zoo.ZooError, match="there is no file"):
        feature_network(tmp_path / "missing.keras")
    with pytest.raises(zoo.ZooError, match=r"expected features \[n, size\]: one output"):
        feature_network(saved(tmp_path / "maps.keras", keras.Input((8, 8, 1)), keras.layers.Conv2D(3, 3)))
    images = keras.Input((8, 8, 1))
    two = [keras.layers.Dense(size)(keras.layers.Flatten()(images)) for size in (2, 3)]
    keras.Model(images, two).save(tmp_path / "two.keras")
    with pytest.raises(zoo.ZooError, match="one output"):
        feature_network(tmp_path / "two.keras")
    with pytest.raises(zoo.ZooError, match="expected images"):
        feature_network(saved(tmp_path / "rows.keras", keras.Input((8,)), keras.layers.Dense(2)))


def test_inception_takes_grey_and_colour_images_at_its_own_size(monkeypatch):
    """With weights drawn at random: those of ImageNet are downloaded."""
    made = keras.applications.InceptionV3
    monkeypatch.setattr(keras.applications, "InceptionV3", lambda **options: made(weights=None, **options))
    network = feature_network(features.INCEPTION)
    grey = network.features(IMAGES[:2])
    assert grey.shape == (2, 2048)
    np.testing.assert_allclose(grey, network.features(np.repeat(IMAGES[:2], 3, axis=-1)), rtol=1e-5)
    assert network.resizing == "bilinear to 299x299"
    with pytest.raises(zoo.ZooError, match="with 1 or 3 channels, not 2"):
        network.features(np.repeat(IMAGES[:2], 2, axis=-1))
