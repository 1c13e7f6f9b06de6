"""A data set in memory, split into training and test images."""

from dataclasses import dataclass, replace

import numpy as np

from zoo.errors import ZooError
from zoo.validation import check_images

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Dataset:
    """Images float32 [n, height, width, channels] in [0, 1], with integer labels [n] where there are any."""

    name: str
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray | None = None
    test_labels: np.ndarray | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.train.shape[1:]

    def held_out_count(self, validation: int) -> int:
        """Returns how many of the training images, the first ones, are held out: so many, and a tenth at most."""
        return min(validation, max(1, len(self.train) // 10))

    def with_fewer_to_train_on(self, count: int) -> "Dataset":
        """Returns the same data with the first `count` training images."""
        labels = None if self.train_labels is None else self.train_labels[:count]
        return replace(self, train=self.train[:count], train_labels=labels)


def as_images(values: np.ndarray, name: str) -> np.ndarray:
    """Returns stored pixels as float32 [n, height, width, channels] in [0, 1]; uint8 is divided by 255.

    Raises:
        ZooError: The shape, dtype or range is not that of images.
    """
    if values.ndim == 3:
        values = values[..., None]
    if values.dtype == np.uint8:
        values = values.astype(np.float32) / np.float32(255)
    images = check_images(values, name=name)
    if images.shape[-1] not in (1, 3):
        raise ZooError(f"{name} have {images.shape[-1]} channels, expected 1 (grey) or 3 (colour).")
    return images


def split(name: str, images: np.ndarray, labels: np.ndarray | None = None) -> Dataset:
    """Splits images into training and test: a fixed random fifth is for the test.

    Raises:
        ZooError: There are fewer than two images.
    """
    if len(images) < 2:
        raise ZooError(f"{name} holds {len(images)} image(s); at least 2 are needed, one to train and one to test on.")
    order = np.random.default_rng(0).permutation(len(images))
    cut = max(1, round(TEST_SHARE * len(images)))
    test, train = order[:cut], order[cut:]
    if labels is None:
        return Dataset(name, images[train], images[test])
    return Dataset(name, images[train], images[test], labels[train], labels[test])
