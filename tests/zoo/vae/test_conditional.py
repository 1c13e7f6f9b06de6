"""Labels in, images of that label out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae.conditional import ConditionalVAE

SHAPE, CLASSES = (4, 4, 1), 3


def test_predict_takes_pairs():
    images, labels = images_and_labels(20)
    made = model()
    made.compile("adam")
    np.testing.assert_allclose(made.predict((images, labels), verbose=0), made.reconstruct(images, labels), atol=1e-5)
    with pytest.raises(zoo.ZooError, match=r"predict\(\(images, labels\)\)"):
        made.predict(images, verbose=0)


def test_validation_without_labels_is_refused_at_once():
    images, labels = images_and_labels(20)
    made = model()
    made.compile("adam")
    with pytest.raises(zoo.ZooError, match=r"validation_data holds no labels: give \(images, labels\)"):
        made.fit(images, labels, validation_data=images)
    assert int(made.optimizer.iterations) == 0


def images_and_labels(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Images of class k have a white row k."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, count)
    images = 0.1 * generator.random((count, *SHAPE), np.float32)
    images[np.arange(count), labels] = 0.95
    return images, labels


def model(**options) -> ConditionalVAE:
    keras.utils.set_random_seed(1)
    encoder = mlp_encoder(SHAPE, (16,), num_classes=CLASSES)
    return ConditionalVAE(encoder, mlp_decoder(2, SHAPE, (16,), num_classes=CLASSES), seed=0, **options)


@pytest.fixture(scope="module")
def trained() -> ConditionalVAE:
    made = model()
    made.compile(keras.optimizers.Adam(1e-2))
    images, labels = images_and_labels()
    made.fit(images, labels, validation_data=(images[:50], labels[:50]), epochs=15, batch_size=30, verbose=0)
    return made


def test_samples_are_of_the_class_asked_for(trained):
    for label in range(CLASSES):
        rows = trained.sample(20, seed=1, label=label).mean(axis=(2, 3))
        assert (rows.argmax(axis=1) == label).all()
    asked = np.array([2, 0, 1, 1])
    assert (trained.sample(4, label=asked).mean(axis=(2, 3)).argmax(axis=1) == asked).all()
    assert (trained.sample(7).mean(axis=(2, 3)).argmax(axis=1) == np.arange(7) % CLASSES).all()


def test_verbs_take_labels(trained):
    images, labels = images_and_labels(6)
    assert trained.encode(images, labels).loc.shape == (6, 2)
    assert trained.reconstruct(images, labels).shape == images.shape
    latents = np.zeros((3, 2), np.float32)
    rows = trained.decode(latents, np.arange(3)).mean(axis=(2, 3))
    assert (rows.argmax(axis=1) == np.arange(3)).all()
    assert trained.interpolate(images[:2], images[2:4], steps=3, labels=labels[:2]).shape == (2, 3, *SHAPE)
    assert trained.traverse(images[0], steps=3, label=1).shape == (2, 3, *SHAPE)
    right = trained.log_likelihood(images, 50, labels=labels).mean
    assert right > trained.log_likelihood(images, 50, labels=(labels + 1) % CLASSES).mean + 1


def test_datasets_of_pairs_train_too():
    made = model()
    made.compile("adam")
    pairs = tf.data.Dataset.from_tensor_slices(images_and_labels(40)).batch(10)
    assert np.isfinite(made.fit(pairs, validation_data=pairs, epochs=1, verbose=0).history["val_loss"]).all()


def test_labels_in_a_later_batch_that_are_out_of_range_stop_training():
    images, labels = images_and_labels(40)
    labels[25] = CLASSES
    made = model()
    made.compile("adam")
    with pytest.raises(zoo.ZooError, match="labels are out of range"):
        made.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(10), verbose=0)


def test_bad_labels(trained):
    images, labels = images_and_labels(6)
    for bad, message in (
        (None, "labels"),
        (labels + 1, r"range from \d to 3, expected 0 to 2"),
        (labels.astype(float), "dtype float64"),
        (labels[:3], r"shape \[3\], expected \[6\]"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            trained.fit(images, bad, verbose=0)
        with pytest.raises(zoo.ZooError, match=message):
            trained.encode(images, bad)
    for label, message in ((7, "expected 0 to 2"), (1.5, "dtype"), ([0, 1], r"expected \[3\]")):
        with pytest.raises(zoo.ZooError, match=message):
            trained.sample(3, label=label)
    with pytest.raises(zoo.ZooError, match="pass label, the image's class"):
        trained.traverse(images[0])
    with pytest.raises(zoo.ZooError, match=r"fit\(images, labels\), or give a dataset of such pairs"):
        trained.fit(tf.data.Dataset.from_tensor_slices(images).batch(3), verbose=0)
    with pytest.raises(zoo.ZooError, match="is given 6 of 'image' and 3 of 'label'"):
        trained.run("encode", image=images, label=labels[:3])
    with pytest.raises(zoo.ZooError, match="takes no labels"):
        zoo.VAE(mlp_encoder(SHAPE), mlp_decoder(2, SHAPE)).encode(images, labels)


def test_parts_that_do_not_fit():
    with pytest.raises(zoo.ZooError, match="num_classes=10"):
        ConditionalVAE(mlp_encoder(SHAPE), mlp_decoder(2, SHAPE, num_classes=3))
    with pytest.raises(zoo.ZooError, match="3 classes and the decoder of 4"):
        ConditionalVAE(mlp_encoder(SHAPE, num_classes=3), mlp_decoder(2, SHAPE, num_classes=4))
    with pytest.raises(zoo.ZooError, match="no labels"):
        model(prior="vamp")


def test_predict_has_no_image_of_a_class_that_is_not_one(trained):
    images, _ = images_and_labels(4)
    found = trained.predict((images, np.array([0, 1, 99, -1])), verbose=0)
    assert np.isfinite(found[:2]).all()
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("labels", [np.full(8, 1.9, np.float32), np.eye(3, dtype=np.int64)[np.zeros(8, int)]])
def test_batches_of_labels_that_are_no_classes_are_refused(labels):
    images, _ = images_and_labels(8)
    fresh = model()
    fresh.compile()

    def batches():
        yield images, labels

    with pytest.raises(zoo.ZooError, match="classes, not one-hot"):
        fresh.fit(batches(), verbose=0)


def test_paths_keep_the_labels_of_their_images(trained):
    images, _ = images_and_labels(6)
    labels = np.array([0, 1, 2])
    paths = trained.interpolate(images[:3], images[3:], 4, labels)
    np.testing.assert_allclose(paths[:, 0], trained.reconstruct(images[:3], labels), atol=1e-5)
    np.testing.assert_allclose(paths[:, -1], trained.reconstruct(images[3:], labels), atol=1e-5)
