"""What happens to images, and what classical methods make of it."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from recipes.studies.restoration import figures_of, methods_of, tasks

pytest.importorskip("skimage", reason="needs scikit-image, of the extra `studies`")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return (load_digits().images / 16).repeat(2, axis=1).repeat(2, axis=2).astype(np.float32)[:40, ..., None]


class Judge:
    """Sees the right class in images that are nearly the originals."""

    def __init__(self, images: np.ndarray):
        self.images = images

    def logits(self, images: np.ndarray) -> np.ndarray:
        right = np.abs(images - self.images).mean(axis=(1, 2, 3)) < 0.1
        return np.where(right[:, None] == [False, True], 1.0, 0.0)


class Oracle:
    """A model that knows."""

    def __init__(self, images: np.ndarray):
        self.images = images

    def restore(self, images: np.ndarray, mask: np.ndarray | None = None, noise_level: float | None = None):
        assert (mask is None) == (noise_level is not None)
        assert mask is None or np.all(images[mask[..., 0] == 1] == self.images[: len(images)][mask[..., 0] == 1])
        return self.images[: len(images)]


def test_tasks_take_away_what_they_say():
    half, hole, weak, strong = tasks(28, 28)
    assert half.mask.sum() == 28 * 14 and half.mask[:, :14].all()
    assert hole.mask.sum() == 28 * 28 - 14 * 14 and not hole.mask[7:21, 7:21].any()
    assert weak.seen(np.zeros((200, 28, 28, 1))).std() == pytest.approx(0.3, rel=0.02)
    assert (weak.noise, strong.noise) == (0.3, 0.5)


def test_classical_methods_help_and_knowing_helps_most(images):
    labels = np.ones(len(images), int)
    for task in tasks(16, 16):
        methods = methods_of(task, {"oracle": Oracle(images)}, images)
        seen = task.seen(images)
        ratios, shares = [], []
        for method in methods.values():
            ratio, _, right = figures_of(images, labels, method(seen).astype(np.float32), Judge(images))
            ratios.append(ratio.mean())
            shares.append(right.mean())
        if task.noise:
            assert min(ratios[1:]) > ratios[0] + 1, dict(zip(methods, ratios, strict=True))
        assert (ratios[-1], shares[-1]) == (60, 1)
