"""Data sets known by name: scikit-learn's digits, and those of keras.datasets."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from recipes.data.dataset import Dataset, as_images, split
from recipes.data.npz import load_npz, read_arrays
from recipes.settings import ImageSettings
from zoo.errors import ZooError

NAMES = ("digits", "mnist", "fashion_mnist", "cifar10", "cifar10_jpeg_subset", "frey_faces")
_LOCAL_ONLY = ("cifar10_jpeg_subset", "frey_faces")  # keras.datasets has none of them


def load_named(name: str) -> Dataset:
    """Loads one of `NAMES`; those of keras.datasets from `$ZOO_DATA_DIR/NAME.npz` when that is there.

    Raises:
        ZooError: The file is damaged, or is not there and cannot be downloaded.
    """
    if name == "digits":
        return _digits()
    if name in _LOCAL_ONLY:
        return _local_only(name)
    arrays = _local(name) or _downloaded(name)
    return Dataset(
        name,
        as_images(arrays["x_train"], f"training images of {name}"),
        as_images(arrays["x_test"], f"test images of {name}"),
        arrays["y_train"].reshape(-1).astype(np.int64),
        arrays["y_test"].reshape(-1).astype(np.int64),
    )


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[..., None]
    return split("digits", images, digits.target.astype(np.int64))


def _local_only(name: str) -> Dataset:
    folder = os.environ.get("ZOO_DATA_DIR")
    path = Path(folder or ".", f"{name}.npz")
    if folder is None or not path.exists():
        raise ZooError(
            f"{name} cannot be downloaded, and there is no {name}.npz in ZOO_DATA_DIR ({folder or 'not set'}). "
            "Set ZOO_DATA_DIR to a folder with that file."
        )
    return replace(load_npz(str(path), ImageSettings()), name=name)


def _local(name: str) -> dict[str, np.ndarray] | None:
    folder = os.environ.get("ZOO_DATA_DIR")
    path = Path(folder, f"{name}.npz") if folder else None
    if path is None or not path.exists():
        return None
    arrays = read_arrays(path)
    missing = {"x_train", "y_train", "x_test", "y_test"} - set(arrays)
    if missing:
        raise ZooError(f"{path} lacks the arrays {', '.join(sorted(missing))}; it should follow keras.datasets.")
    return arrays


def _downloaded(name: str) -> dict[str, np.ndarray]:
    import keras

    try:
        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        # keras.utils.get_file raises a bare Exception when a download fails.
        if not str(error).startswith("URL fetch failure"):
            raise
        raise ZooError(
            f"{name} could not be downloaded, and there is no {name}.npz in ZOO_DATA_DIR "
            f"({os.environ.get('ZOO_DATA_DIR', 'not set')}). Connect to the network, or set ZOO_DATA_DIR to a folder "
            "with that file."
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
