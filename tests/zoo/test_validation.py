"""Checks of images, counts and seeds: each message names the cause and the remedy."""

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.validation import (
    check_count,
    check_images,
    check_labels,
    check_latents,
    check_positive,
    check_seed,
    check_sizes,
)

GOOD = np.full((3, 8, 8, 1), 0.5, np.float32)


@pytest.mark.parametrize(
    "images, message",
    [
        (GOOD[..., 0], r"shape \[3, 8, 8\].*images\[\.\.\., None\]"),
        (GOOD[0], r"shape \[8, 8, 1\].*images\[None\]"),
        (GOOD.repeat(3, axis=-1), "number of channels differs"),
        (GOOD[:, :4], "Resize the images"),
        (GOOD[:0], "empty"),
        (None, "images are missing: got None"),
        ([GOOD[0], GOOD[0, :4]], "images are no array: their parts have different shapes"),
        ("photos", r"images have shape \[\]"),
        ((GOOD * 255).astype(np.uint8), r"dtype uint8.*/ 255"),
        (GOOD.astype(complex), "dtype complex128"),
        (GOOD * 255, r"are all 127.5.*divide by 255"),
        (GOOD * 2 - 1.5, r"are all -0.5.*rescale"),
        (np.where(np.arange(3).reshape(3, 1, 1, 1) == 1, np.nan, GOOD), "NaN, first in image 1"),
    ],
)
def test_images_that_are_refused(images, message):
    with pytest.raises(ZooError, match=message):
        check_images(images, (8, 8, 1))


def test_good_images_pass_as_float32():
    checked = check_images(GOOD.astype(np.float64), (8, 8, 1))
    assert checked.dtype == np.float32
    np.testing.assert_array_equal(checked, GOOD)


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_counts_that_are_refused(value):
    with pytest.raises(ZooError, match="integer of at least 1"):
        check_count(value, "n")


@pytest.mark.parametrize("value", [-1, 2**63, 1.5])
def test_seeds_that_are_refused(value):
    with pytest.raises(ZooError, match="seed is"):
        check_seed(value)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1", True])
def test_reals_that_are_refused(value):
    with pytest.raises(ZooError, match=r"temperature is .* above 0"):
        check_positive(value, "temperature")


def test_reals_that_pass():
    assert check_positive(np.float32(0.5), "temperature") == 0.5
    assert check_positive(0, "free_bits", or_zero=True) == 0.0


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.array([0, 3]), "range from 0 to 3, expected 0 to 2"),
        (np.array([-1, 0]), "range from -1 to 0"),
        (np.array([0.0, 1.0]), "dtype float64"),
        ([[0], [1, 2]], "labels are no array"),
        (np.zeros((2, 2), int), r"shape \[2, 2\]"),
        (np.zeros(3, int), r"expected \[2\]"),
    ],
)
def test_labels_that_are_refused(labels, message):
    with pytest.raises(ZooError, match=message):
        check_labels(labels, 3, 2)


def test_labels_of_keras_datasets_pass():
    checked = check_labels(np.array([[2], [0]], np.uint8), 3, 2)
    assert checked.dtype == np.int64
    np.testing.assert_array_equal(checked, [2, 0])


@pytest.mark.parametrize(
    "latents", [np.zeros(3), np.zeros((0, 3)), np.zeros((2, 4)), np.full((2, 3), np.nan), None, [[0], [0, 0]], "abc"]
)
def test_latents_that_are_refused(latents):
    with pytest.raises(ZooError, match="latents"):
        check_latents(latents, 3)


@pytest.mark.parametrize("sizes", [(), 3, None, "34", (3, 0), (3, -1), (3, 1.5), (3, True)])
def test_sizes_that_are_refused(sizes):
    with pytest.raises(ZooError, match=r"filters is .*, expected one or more integers above 0"):
        check_sizes(sizes, "filters")
    with pytest.raises(ZooError, match="expected 3 integers above 0"):
        check_sizes((8, 8), "image_shape", 3)


def test_sizes_that_pass():
    assert check_sizes([8, np.int64(6), 1], "image_shape", 3) == (8, 6, 1)
