"""Augmentations: what they change, what they keep, and that gradients pass."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.gan.augmentation import AUGMENTATIONS, augment, color, cutout, translation

IMAGES = tf.constant(np.random.default_rng(0).random((300, 16, 12, 3)), tf.float32)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_seed_and_image_has_changes_of_its_own_and_gradients_pass(name):
    with tf.GradientTape() as tape:
        tape.watch(IMAGES)
        changed = augment(IMAGES, [name], 3)
        loss = tf.reduce_sum(changed)
    np.testing.assert_array_equal(changed, augment(IMAGES, [name], 3))
    assert not np.array_equal(changed, augment(IMAGES, [name], 4))
    same = tf.repeat(IMAGES[:1], 20, axis=0)
    assert len({image.tobytes() for image in augment(same, [name], 1).numpy()}) > 5
    assert np.abs(tape.gradient(loss, IMAGES).numpy()).sum() > 0
    assert changed.shape == IMAGES.shape


def test_translation_moves_by_whole_pixels_up_to_an_eighth():
    point = np.zeros((2000, 16, 12, 1), np.float32)
    point[:, 8, 6] = 1
    _, rows, columns, _ = np.nonzero(translation(tf.constant(point), 0).numpy() == 1)
    assert set(rows) == {6, 7, 8, 9, 10}
    assert set(columns) == {4, 5, 6, 7, 8}
    shares = np.bincount(rows)[6:] / 2000
    assert (np.abs(shares - 0.2) < 4.5 * np.sqrt(0.2 * 0.8 / 2000)).all()
    ones = translation(tf.ones([500, 16, 12, 1]), 1).numpy()
    assert set(np.unique(ones)) == {0.5, 1.0}  # grey where nothing is
    wide = np.zeros((500, 20, 20, 1), np.float32)
    wide[:, 10, 10] = 1
    assert set(np.nonzero(translation(tf.constant(wide), 0).numpy() == 1)[1]) == set(
        range(7, 14)
    )  # an eighth, rounded up


def test_cutout_greys_half_of_each_side_at_most():
    holes = cutout(tf.ones([500, 16, 12, 1]), 0).numpy() == 0.5
    sizes = holes.sum(axis=(1, 2, 3))
    assert sizes.max() == 8 * 6
    assert sizes.min() >= 4 * 3
    assert holes.any(axis=0).all()  # anywhere


def test_color_keeps_order_within_an_image():
    changed = color(IMAGES, 0).numpy()
    brightness = (changed - IMAGES.numpy()).mean(axis=(1, 2, 3))
    assert -0.251 < brightness.min() < -0.2
    assert 0.2 < brightness.max() < 0.251
    spread = changed.std(axis=(1, 2, 3)) / IMAGES.numpy().std(axis=(1, 2, 3))
    assert spread.max() < 3.01
    grey = color(IMAGES[..., :1], 0).numpy()
    order = np.argsort(IMAGES.numpy()[..., 0].reshape(300, -1), axis=1)
    assert (np.diff(np.take_along_axis(grey.reshape(300, -1), order, axis=1)) >= -1e-6).all()
