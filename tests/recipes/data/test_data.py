"""Data by name and path: what arrives, and what is refused with which remedy."""

import numpy as np
import pytest
from PIL import Image

from recipes.data import load
from recipes.settings import ImageSettings
from zoo.errors import ZooError


def pictures(folder, sizes=((12, 10),) * 10, mode="L", suffix=".png"):
    """Makes picture files of given heights and widths."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for index, (height, width) in enumerate(sizes):
        shape = (height, width) if mode == "L" else (height, width, len(mode))
        Image.fromarray(generator.integers(0, 256, shape, np.uint8), mode).save(folder / f"{index:02}{suffix}")
    return folder


def test_digits_are_split_without_overlap():
    data = load("digits")
    assert data.image_shape == (8, 8, 1)
    assert (len(data.train), len(data.test)) == (1438, 359)
    assert len(data.train_labels) == 1438
    assert data.train.max() == 1
    assert data.train.dtype == np.float32
    again = load("digits")
    np.testing.assert_array_equal(data.test, again.test)


@pytest.mark.parametrize(
    "suffix, mode", [(".png", "L"), (".jpg", "RGB"), (".bmp", "RGB"), (".webp", "RGB"), (".png", "RGBA")]
)
def test_folders_of_common_formats(tmp_path, suffix, mode):
    pictures(tmp_path / "sub", mode=mode, suffix=suffix)
    data = load(f"folder:{tmp_path}")
    assert data.image_shape == (12, 10, 1 if mode == "L" else 3)
    assert len(data.train) + len(data.test) == 10


def test_the_rule_for_sizes_covers_and_cuts_the_centre(tmp_path):
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255
    for index in range(4):
        Image.fromarray(wide).save(tmp_path / f"{index}.png")
    data = load(f"folder:{tmp_path}", ImageSettings(size=10))
    assert data.image_shape == (10, 10, 1)
    assert data.train.mean() > 0.99
    assert load(f"folder:{tmp_path}", ImageSettings(size=(20, 10), channels=3)).image_shape == (20, 10, 3)


def test_transparency_is_laid_over_white(tmp_path):
    for index in range(2):
        Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / f"{index}.png")
    assert load(f"folder:{tmp_path}").train.min() == 1


@pytest.mark.parametrize(
    "arrays, shape",
    [
        ({"x": np.zeros((10, 5, 4), np.uint8)}, (5, 4, 1)),
        ({"images": np.zeros((10, 5, 4, 3), np.float32), "labels": np.arange(10)}, (5, 4, 3)),
        ({"x_train": np.full((6, 5, 4), 255, np.uint8), "x_test": np.zeros((3, 5, 4), np.uint8)}, (5, 4, 1)),
    ],
)
def test_npz(tmp_path, arrays, shape):
    np.savez(tmp_path / "data.npz", **arrays)
    data = load(f"npz:{tmp_path / 'data.npz'}")
    assert data.image_shape == shape
    assert data.train.max() in (0, 1)


def test_named_data_come_from_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    images, labels = np.full((4, 28, 28), 255, np.uint8), np.arange(4)
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    data = load("mnist")
    assert data.image_shape == (28, 28, 1)
    assert data.train.min() == 1
    np.savez(tmp_path / "mnist.npz", x_train=images)
    with pytest.raises(ZooError, match="lacks the arrays x_test, y_test, y_train"):
        load("mnist")


@pytest.mark.usefixtures("data_dir")
def test_real_mnist():
    data = load("mnist")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.train.mean() == pytest.approx(0.1307, abs=1e-4)


def test_a_download_that_fails_names_the_folder(monkeypatch, tmp_path):
    import keras

    def refuse():
        raise Exception("URL fetch failure on somewhere: None -- no network")

    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", refuse)
    with pytest.raises(ZooError, match=r"mnist could not be downloaded.*ZOO_DATA_DIR"):
        load("mnist")


def test_specs_that_are_refused(tmp_path):
    for spec, message in (
        ("mnits", r"unknown data 'mnits'.*Did you mean 'mnist'"),
        ("npz:nowhere.npz", r"no file nowhere\.npz"),
        ("folder:nowhere", "no folder nowhere"),
        (f"folder:{tmp_path}", "no image in"),
    ):
        with pytest.raises(ZooError, match=message):
            load(spec)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"x": np.zeros((1, 4, 4), np.uint8)}, "at least 2 are needed"),
        ({"x": np.zeros((0, 4, 4), np.uint8)}, "empty"),
        ({"x": np.full((3, 4, 4), 7.0)}, r"are all 7.*divide by 255"),
        ({"x": np.full((3, 4, 4), np.nan)}, "NaN"),
        ({"x": np.zeros((3, 4, 4), np.int32)}, "dtype int32"),
        ({"x": np.zeros((3, 4, 4, 7), np.uint8)}, "7 channels"),
        ({"x": np.zeros((3, 4), np.uint8)}, r"shape \[3, 4\]"),
        ({"z": np.zeros(3)}, "holds z; expected"),
        ({"x": np.zeros((3, 4, 4), np.uint8), "y": np.zeros(2)}, "3 images but 2 labels"),
        (
            {
                "x_train": np.zeros((3, 4, 4), np.uint8),
                "x_test": np.zeros((2, 4, 4), np.uint8),
                "y_train": np.zeros(4, np.uint8),
            },
            "x_train holds 3 images but 4 labels",
        ),
        ({"x": np.array([{"a": 1}], object)}, "cannot be read"),
    ],
)
def test_arrays_that_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ZooError, match=message):
        load(f"npz:{tmp_path / 'data.npz'}")


def test_a_truncated_archive(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.zeros((9, 9, 9), np.uint8))
    content = (tmp_path / "data.npz").read_bytes()
    (tmp_path / "data.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ZooError, match=r"data\.npz cannot be read.*truncated"):
        load(f"npz:{tmp_path / 'data.npz'}")


def test_pictures_that_are_refused(tmp_path):
    mixed = pictures(tmp_path / "mixed", [(12, 10), (12, 10), (8, 8)])
    with pytest.raises(ZooError, match=r"02\.png is 8x8, but 00\.png is 12x10.*--set image\.size=8"):
        load(f"folder:{mixed}")
    broken = pictures(tmp_path / "broken")
    content = (broken / "03.png").read_bytes()
    (broken / "03.png").write_bytes(content[:60])
    with pytest.raises(ZooError, match=r"03\.png cannot be read as an image"):
        load(f"folder:{broken}")
    with pytest.raises(ZooError, match="at least 2 are needed"):
        load(f"folder:{pictures(tmp_path / 'single', [(4, 4)])}")
    deep = tmp_path / "deep"
    deep.mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(deep / "0.png")
    with pytest.raises(ZooError, match="more than 8 bits"):
        load(f"folder:{deep}")
