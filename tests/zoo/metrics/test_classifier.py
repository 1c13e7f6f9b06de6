"""The classifier that judges what models draw."""

import keras
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_digits

import export
import zoo
from zoo import presets
from zoo.metrics import Classifier
from zoo.networks import conv_classifier


@pytest.fixture(scope="module")
def labelled():
    data = load_digits()
    return (data.images / 16).astype(np.float32)[..., None], data.target


@pytest.fixture(scope="module")
def trained(labelled):
    keras.utils.set_random_seed(0)
    model = Classifier(conv_classifier((8, 8, 1), (16,), 32), 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    model.fit(labelled[0][:1500], labelled[1][:1500], epochs=8, verbose=0)
    return model


def test_it_learns_digits(trained, labelled):
    logits = trained.logits(labelled[0][1500:])
    assert logits.dtype == np.float32
    assert (logits.argmax(axis=1) == labelled[1][1500:]).mean() > 0.9
    assert trained.evaluate(labelled[0][1500:], labelled[1][1500:], verbose=0, return_dict=True)["accuracy"] > 0.9


def test_logits_are_a_linear_map_of_the_features(trained, labelled):
    features = trained.features(labelled[0][:300])
    assert features.shape == (300, 32)
    kernel, bias = trained.logits_layer.get_weights()
    np.testing.assert_allclose(features @ kernel + bias, trained.logits(labelled[0][:300]), atol=1e-4)


def test_it_is_saved_as_a_file_and_as_a_preset(trained, labelled, tmp_path):
    trained.save(tmp_path / "digits.keras")
    presets.save_to_preset(trained, tmp_path / "preset")
    for again in (
        zoo.load_model(tmp_path / "digits.keras", any_model=True),
        Classifier.from_preset(tmp_path / "preset"),
    ):
        np.testing.assert_allclose(again.logits(labelled[0][:10]), trained.logits(labelled[0][:10]), atol=1e-5)
    with pytest.raises(zoo.ZooError, match=r"is a Classifier, which generates nothing: use zoo.metrics.Classifier"):
        zoo.from_preset(tmp_path / "preset")


def test_it_exports(trained, labelled, tmp_path):
    export.save(trained, tmp_path / "bundle")
    bundle = export.load(tmp_path / "bundle")
    images = labelled[0][:9]
    probability = bundle.run("classify", image=images)["probability"]
    np.testing.assert_allclose(np.log(probability), np.log(softmax(trained.logits(images), axis=1)), atol=1e-3)
    np.testing.assert_allclose(bundle.run("features", image=images)["feature"], trained.features(images), atol=1e-4)


def test_what_is_refused(trained, small_vae, tmp_path):
    with pytest.raises(zoo.ZooError, match="num_classes is 1"):
        Classifier(conv_classifier((8, 8, 1), (2,), 2), 1)
    with pytest.raises(zoo.ZooError, match=r"images have shape \[2, 28, 28, 1\], expected \[batch, 8, 8, 1\]"):
        trained.features(np.zeros((2, 28, 28, 1), np.float32))
    small_vae.save_to_preset(tmp_path / "preset")
    with pytest.raises(zoo.ZooError, match=r"is a VAE, not a Classifier: use zoo.from_preset"):
        Classifier.from_preset(tmp_path / "preset")
