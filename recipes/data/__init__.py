"""Images by name or path; everything leaves as float32 in [0, 1], channels last."""

from recipes.data.dataset import Dataset
from recipes.data.folder import load_folder
from recipes.data.named import NAMES, load_named
from recipes.data.npz import load_npz
from recipes.settings import ImageSettings
from zoo.errors import ZooError, near_miss

__all__ = ["Dataset", "load"]

_LOADERS = {"npz": load_npz, "folder": load_folder}


def load(spec: str, image: ImageSettings | None = None) -> Dataset:
    """Loads a data set.

    Args:
        spec: `digits`, `mnist`, `fashion_mnist`, `cifar10`, `npz:PATH` or `folder:PATH`.
        image: How the images of a folder are resized.

    Raises:
        ZooError: The spec is not known, or its images cannot be used.
    """
    kind, separator, path = str(spec).partition(":")
    if separator and kind in _LOADERS:
        return _LOADERS[kind](path, image or ImageSettings())
    if spec in NAMES:
        if image is not None and (image.size is not None or image.channels is not None):
            raise ZooError(f"image.size and image.channels are for folder:PATH; the images of {spec} have their own.")
        return load_named(spec)
    known = [*NAMES, "npz:PATH", "folder:PATH"]
    raise ZooError(f"unknown data '{spec}'. Known: {', '.join(known)}.{near_miss(str(spec), NAMES)}")
