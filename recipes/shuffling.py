"""Training images in an order that depends on the seed and the epoch alone."""

import math

import keras
import numpy as np


class ShuffledImages(keras.utils.PyDataset):
    """Batches of images, shuffled anew each epoch.

    A run that goes on from a checkpoint sees its images in the order in which it would have seen them.

    Args:
        images: [n, height, width, channels].
        batch_size: Images a batch; the last one of an epoch may be smaller.
        seed: Decides the order, together with the number of the epoch.
        epoch: The epoch to begin with, from 0.
        labels: [n], to give (images, labels).
    """

    def __init__(
        self, images: np.ndarray, batch_size: int, seed: int, epoch: int = 0, labels: np.ndarray | None = None
    ):
        super().__init__()
        self._images, self._labels, self._batch_size, self._seed = images, labels, batch_size, seed
        self._epoch = epoch
        self._shuffle()

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return math.ceil(len(self._images) / self._batch_size)

    def __getitem__(self, index: int) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Returns batch number `index` of the epoch."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images[chosen] if self._labels is None else (self._images[chosen], self._labels[chosen])

    def on_epoch_end(self) -> None:
        """Shuffles for the next epoch."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._images))
