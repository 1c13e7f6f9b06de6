"""Images as files, whole or not at all."""

from pathlib import Path

import numpy as np

from export.pictures import save_grid
from zoo.files import write_atomically


def save_images(images: np.ndarray, path: Path, columns: int | None = None) -> None:
    """Saves images [n, height, width, channels] in [0, 1]: a grid as .png, the array `images` as .npz."""
    if path.suffix.lower() == ".npz":
        write_atomically(path, lambda temporary: np.savez_compressed(temporary, images=images))
    else:
        write_atomically(path, lambda temporary: save_grid(images, temporary, columns))
