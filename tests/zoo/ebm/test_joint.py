"""The joint energy model: the identities between its logits and energies, and training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import zoo
from zoo.ebm import objectives, samplers
from zoo.networks import conv_energy

SHAPE, CLASSES = (8, 8, 1), 10


@pytest.fixture(scope="module")
def digit_labels() -> np.ndarray:
    return load_digits().target


def small(**options) -> zoo.JointEnergyModel:
    keras.utils.set_random_seed(0)
    classifier = conv_energy(SHAPE, (8, 16), 16, outputs=CLASSES)
    return zoo.JointEnergyModel(classifier, sample_steps=5, seed=0, **options)


def test_energies_and_probabilities_are_of_one_distribution(digits):
    model, images = small(), tf.constant(digits[:6])
    joint = np.stack([-model.energy_of_class(tf.fill([6], label))(images) for label in range(CLASSES)], axis=1)
    np.testing.assert_allclose(-model.energy(digits[:6]), np.log(np.exp(joint).sum(axis=1)), rtol=1e-4, atol=1e-4)
    likely = np.exp(joint + model.energy(digits[:6])[:, None])
    np.testing.assert_allclose(model.classify(digits[:6]), likely, rtol=1e-3, atol=1e-5)


def test_it_learns_to_classify_and_tells_other_images(digits, digit_labels):
    sampler = samplers.UnadjustedLangevin(0.25, noise_scale=0.005, bounds=(0.0, 1.0))
    objective = objectives.PersistentContrastiveDivergence(3, 500, regularization=0.01)
    model = small(objective=objective, sampler=sampler)
    model.compile(keras.optimizers.Adam(3e-3))
    history = model.fit(digits, digit_labels, batch_size=60, epochs=6, verbose=0).history
    assert history["accuracy"][-1] > 0.85
    assert (model.classify(digits).argmax(axis=1) == digit_labels).mean() > 0.85
    noise = np.random.default_rng(0).random((100, *SHAPE), np.float32)
    assert np.median(model.anomaly_score(noise)) > np.quantile(model.anomaly_score(digits), 0.9)


def test_chains_of_a_class_go_to_that_class(digits, digit_labels):
    model = small(energy_weight=0.0, sampler=samplers.GradientDescent(0.05, bounds=(0.0, 1.0)))
    model.compile(keras.optimizers.Adam(3e-3))
    history = model.fit(digits, digit_labels, batch_size=100, epochs=4, verbose=0).history
    assert set(history) == {"loss", "cross_entropy", "accuracy"}  # no chains without weight
    images = model.sample(30, label=None, steps=60)
    asked = np.arange(30) % CLASSES
    assert (model.classify(images).argmax(axis=1) == asked).mean() > 0.9
    np.testing.assert_array_equal(
        model.sample(3, label=[4, 5, 6], steps=3)[1:2], model.sample(3, label=5, steps=3)[1:2]
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zoo.JointEnergyModel(conv_energy(SHAPE, (4,), 4)), "expected logits"),
        (
            lambda: zoo.JointEnergyModel(
                keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
            ),
            "the classifier ends with a softmax",
        ),
        (lambda: small(energy_weight=-1.0), "energy_weight is -1.0"),
        (lambda: small().sample(2, label=10), "0 to 9"),
        (lambda: zoo.EBM(conv_energy(SHAPE, (4,), 4, outputs=3)), r"gives \[None, 3\], expected one energy"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(zoo.ZooError, match=message):
        make()
