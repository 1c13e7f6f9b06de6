"""Grids of images."""

import numpy as np
import pytest
from PIL import Image

from export.pictures import save_grid, side_by_side, to_png


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
def test_a_grid_holds_every_image_at_its_place(tmp_path, channels, mode):
    images = np.broadcast_to(np.linspace(0, 1, 5, dtype=np.float32).reshape(5, 1, 1, 1), (5, 60, 60, channels))
    save_grid(images, tmp_path / "grid.png")
    picture = Image.open(tmp_path / "grid.png")
    assert picture.mode == mode
    assert picture.size == (3 * 62 + 2, 2 * 62 + 2)
    for index, value in enumerate((0, 64, 128, 191, 255)):
        pixel = picture.getpixel(((index % 3) * 62 + 30, (index // 3) * 62 + 30))
        assert pixel == (value if channels == 1 else (value,) * 3)


def test_copies_stand_below_their_originals():
    originals, copies = np.zeros((10, 2, 2, 1)), np.ones((10, 2, 2, 1))
    rows = side_by_side(originals, copies, columns=8)[:, 0, 0, 0]
    assert rows.tolist() == [0] * 8 + [1] * 8 + [0] * 2 + [1] * 2


def test_of_no_images_there_is_a_blank_picture():
    assert to_png(np.zeros((0, 8, 8, 1), np.float32)).startswith(b"\x89PNG")
