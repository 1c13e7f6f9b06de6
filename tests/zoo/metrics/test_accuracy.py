"""Shares of samples that are of the class asked for."""

import numpy as np
import pytest

import zoo
from zoo.metrics import conditional_accuracy


class Painter(zoo.GenerativeModel):
    """Draws images whose pixels all say the class, but takes a given share of those of class 1 for class 2."""

    num_classes = 3
    mistakes = 0.25

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return (2, 2, 1)

    def sample(self, n, seed=0, label=None):
        label = np.where(
            (np.asarray(label) == 1) & (np.random.default_rng(seed).random(n) < self.mistakes), 2, np.asarray(label)
        )
        return np.broadcast_to(label.reshape(-1, 1, 1, 1) / 2, (n, 2, 2, 1)).astype(np.float32)


def scores(images):
    return -np.abs(images.mean(axis=(1, 2)) - np.array([0.0, 0.5, 1.0]))


def test_shares_of_each_class_and_their_error():
    found = conditional_accuracy(Painter(), scores, 6000, seed=3)
    np.testing.assert_array_equal(found.per_class[[0, 2]], 1)
    assert abs(found.per_class[1] - 0.75) < 4.5 * np.sqrt(0.75 * 0.25 / 2000)
    assert found.mean == pytest.approx(found.per_class.mean())
    assert found.standard_error == pytest.approx(np.sqrt(found.mean * (1 - found.mean) / 6000))


def test_chunks_have_noise_of_their_own():
    """The first 1,000 images repeated would give the same share in each."""
    model = Painter()
    whole = conditional_accuracy(model, scores, 3000).mean
    first = conditional_accuracy(model, scores, 1000).mean
    assert whole != first


def test_what_is_refused():
    with pytest.raises(zoo.ZooError, match="at least one a class, 3"):
        conditional_accuracy(Painter(), scores, 2)
    with pytest.raises(zoo.ZooError, match=r"scores of shape \[30, 10\], expected \[30, 3\]"):
        conditional_accuracy(Painter(), lambda images: np.zeros((len(images), 10)), 30)
    plain = zoo.VAE(zoo.networks.mlp_encoder((2, 2, 1), (2,)), zoo.networks.mlp_decoder(1, (2, 2, 1), (2,)))
    with pytest.raises(zoo.ZooError, match="VAE is not conditional"):
        conditional_accuracy(plain, scores)
