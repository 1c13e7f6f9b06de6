"""Grids of images as PNG files."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

_MARGIN, _SMALLEST_CELL = 2, 56


def save_grid(images: np.ndarray, path: str | Path, columns: int | None = None) -> None:
    """Saves images [n, height, width, channels], in [0, 1], as one PNG.

    Args:
        images: Grey or colour; small ones are enlarged by whole factors, so that pixels stay square.
        path: Where to.
        columns: Images a row, by default about as many as there are rows.
    """
    _grid(images, columns).save(path, format="PNG")


def to_png(images: np.ndarray) -> bytes:
    """Returns images [n, height, width, channels], in [0, 1], as a PNG: one as it is, several as a grid."""
    picture = _picture(_pixels(images)[0]) if len(images) == 1 else _grid(images)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def _grid(images: np.ndarray, columns: int | None = None) -> Image.Image:
    count, height, width, channels = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    factor = max(1, math.ceil(_SMALLEST_CELL / max(height, width)))
    cell_height, cell_width = height * factor + _MARGIN, width * factor + _MARGIN
    canvas = np.full((rows * cell_height + _MARGIN, columns * cell_width + _MARGIN, channels), 255, np.uint8)
    pixels = _pixels(images).repeat(factor, axis=1).repeat(factor, axis=2)
    for index, image in enumerate(pixels):
        top, left = (index // columns) * cell_height + _MARGIN, (index % columns) * cell_width + _MARGIN
        canvas[top : top + height * factor, left : left + width * factor] = image
    return _picture(canvas)


def _pixels(images: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def side_by_side(originals: np.ndarray, copies: np.ndarray, columns: int = 8) -> np.ndarray:
    """Returns rows of originals, each followed by the row of their copies."""
    rows = []
    for start in range(0, len(originals), columns):
        rows += [originals[start : start + columns], copies[start : start + columns]]
    return np.concatenate(rows)
