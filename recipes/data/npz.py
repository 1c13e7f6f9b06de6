"""Images from a NumPy archive of one's own."""

import zipfile
from pathlib import Path

import numpy as np

from recipes.data.dataset import Dataset, as_images, split
from recipes.settings import ImageSettings
from zoo.errors import ZooError

_IMAGE_KEYS, _LABEL_KEYS = ("x", "images"), ("y", "labels")


def load_npz(path: str, image: ImageSettings) -> Dataset:
    """Loads `npz:PATH`.

    The archive holds `x_train` and `x_test` (and `y_train`, `y_test`), or `x` or `images` (and `y` or
    `labels`), of which a fixed random fifth becomes the test split. Images are [n, height, width] or
    [n, height, width, channels], uint8 from 0 to 255 or floating in [0, 1].

    Raises:
        ZooError: The file is missing or damaged, or its arrays are not images.
    """
    if image.size is not None or image.channels is not None:
        raise ZooError("image.size and image.channels are for folder:PATH; resize the arrays of an npz beforehand.")
    arrays, name = read_arrays(Path(path).expanduser()), f"npz:{path}"
    if "x_train" in arrays and "x_test" in arrays:
        train, test = (
            as_images(arrays["x_train"], f"x_train of {path}"),
            as_images(arrays["x_test"], f"x_test of {path}"),
        )
        if train.shape[1:] != test.shape[1:]:
            raise ZooError(f"{path}: x_train has images {list(train.shape[1:])}, x_test {list(test.shape[1:])}.")
        train_labels, test_labels = arrays.get("y_train"), arrays.get("y_test")
        for split_name, images, labels in (("train", train, train_labels), ("test", test, test_labels)):
            if labels is not None:
                _check_as_many(f"{path}: x_{split_name}", images, labels)
        return Dataset(name, train, test, train_labels, test_labels)
    key = next((key for key in _IMAGE_KEYS if key in arrays), None)
    if key is None:
        raise ZooError(
            f"{path} holds {', '.join(arrays) or 'no array'}; expected x_train and x_test, or one of "
            f"{', '.join(_IMAGE_KEYS)}."
        )
    labels = next((arrays[key] for key in _LABEL_KEYS if key in arrays), None)
    images = as_images(arrays[key], f"'{key}' of {path}")
    if labels is not None:
        _check_as_many(path, images, labels)
    return split(name, images, labels)


def _check_as_many(name: str, images: np.ndarray, labels: np.ndarray) -> None:
    if len(labels) != len(images):
        raise ZooError(f"{name} holds {len(images)} images but {len(labels)} labels.")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an archive; pickled objects are refused.

    Raises:
        ZooError: The file is missing, or is not such an archive.
    """
    if not path.is_file():
        raise ZooError(f"there is no file {path}.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ZooError(f"{path} is not an .npz archive. Save one with numpy.savez_compressed(path, x=images).")
            return dict(archive)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        if isinstance(error, ZooError):
            raise
        raise ZooError(
            f"{path} cannot be read as an .npz archive ({error}). It may be truncated: make it again."
        ) from error
