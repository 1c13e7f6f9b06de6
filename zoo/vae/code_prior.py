"""What is done with an autoregressive network over grids of codes: its likelihood, its draws and its training.

    log p(codes) = sum_i log p(code_i | codes before i),    i from left to right, row by row

A network maps codes int32 [batch, rows, columns] to logits [batch, rows, columns, number of codes], and those at a
place depend on the codes before it alone. `zoo.networks.pixelcnn` is one.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.callbacks import DIVERGED, StopOnNonFiniteLoss
from zoo.errors import ZooError
from zoo.sampling import categories

_PURPOSE = 2  # of the noise that orders the grids; 0 and 1 are training and evaluation of the model
_GRIDS_AT_ONCE = 64
_COLDEST = 1e-4  # as good as 0, and safe to divide by


def log_prob(network: keras.Model, codes: tf.Tensor) -> tf.Tensor:
    """Returns log p(codes), float32 [batch], in nats."""
    return _log_prob(codes, network(codes, training=False))


def _log_prob(codes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    log_shares = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    chosen = tf.one_hot(tf.cast(codes, tf.int32), logits.shape[-1])
    return tf.reduce_sum(log_shares * chosen, axis=[1, 2, 3])


def draw_codes(network: keras.Model, noise: tf.Tensor, temperature: float | tf.Tensor) -> tf.Tensor:
    """Draws grids of codes, place after place.

    Args:
        network: Of codes, as above.
        noise: float32 [n, rows * columns], uniform in (0, 1); decides the draw.
        temperature: Divides the logits; at 0 the most probable code is taken at each place.

    Returns:
        int32 [n, rows, columns].
    """
    rows, columns, num_codes = network.output_shape[1:]
    places = rows * columns

    def fill(place: tf.Tensor, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = network(tf.reshape(codes, [-1, rows, columns]), training=False)
        here = tf.gather(tf.reshape(tf.cast(logits, tf.float32), [-1, places, num_codes]), place, axis=1)
        drawn = categories(here / tf.maximum(temperature, _COLDEST), tf.gather(noise, place, axis=1))
        return place + 1, tf.where(tf.range(places) == place, drawn[:, None], codes)

    start = (tf.constant(0), tf.zeros_like(noise, tf.int32))
    _, codes = tf.while_loop(lambda place, _: place < places, fill, start, parallel_iterations=1)
    return tf.reshape(codes, [-1, rows, columns])


def fit(
    network: keras.Model,
    codes: Callable[[int], np.ndarray],
    epochs: int,
    batch_size: int,
    learning_rate: Any,
    seed: int,
    validation_codes: np.ndarray | None = None,
    verbose: Any = "auto",
) -> keras.callbacks.History:
    """Maximizes log p(codes) with Adam; the weights after it depend on those before, the codes and the seed alone.

    Args:
        network: Of codes, as above, functional. Its weights are trainable while this runs only.
        codes: Maps the number of an epoch, from 0 on, to its grids, int32 [n, rows, columns].
        epochs: Passes over the codes.
        batch_size: Grids a step.
        learning_rate: Of Adam: a number, or a Keras schedule.
        seed: Decides the order of the grids.
        validation_codes: More grids, to evaluate after each epoch.
        verbose: As in `keras.Model.fit`.

    Returns:
        The history; "loss" and "val_loss" are -log p(codes) in nats a grid.

    Raises:
        ZooError: The network sees codes that it should predict, or the loss is no longer finite.
    """
    check_causal(network)
    network.trainable = True
    try:
        with network.distribute_strategy.scope():
            # A model of its own, so that no optimizer is saved with the network.
            trainer = keras.Model(network.inputs, network.outputs)
            trainer.compile(keras.optimizers.Adam(learning_rate), loss=lambda given, logits: -_log_prob(given, logits))
        grids = _ShuffledGrids(codes, batch_size, seed)
        anew = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: grids.begin(epoch) if epoch else None)
        return trainer.fit(
            grids,
            epochs=epochs,
            shuffle=False,  # they are, by their own seed
            validation_data=None if validation_codes is None else (validation_codes, validation_codes),
            validation_batch_size=batch_size,
            callbacks=[anew, StopOnNonFiniteLoss(lambda _: DIVERGED)],
            verbose=verbose,
        )
    finally:
        network.trainable = False


def check_causal(network: keras.Model) -> None:
    """Checks that logits do not depend on the codes at their own place and after it.

    Raises:
        ZooError: They do, so that they make no distribution over grids.
    """
    rows, columns, num_codes = network.output_shape[1:]
    places = rows * columns
    codes = random.uniform([places], seed=0).numpy() * num_codes
    codes = np.tile(codes.astype(np.int32), (places + 1, 1))
    for place in range(places):
        codes[place, place:] = (codes[place, place:] + 1) % num_codes
    plain, changed = codes[-1:], codes[:-1]

    def logits(grids: np.ndarray) -> np.ndarray:
        values = network(grids.reshape(-1, rows, columns), training=False)
        return np.reshape(tf.cast(values, tf.float32), [len(grids), places, num_codes])

    expected = logits(plain)[0]
    chunks = (changed[start : start + _GRIDS_AT_ONCE] for start in range(0, places, _GRIDS_AT_ONCE))
    for place, found in enumerate(itertools.chain.from_iterable(map(logits, chunks))):
        if not np.allclose(found[: place + 1], expected[: place + 1], rtol=1e-4, atol=1e-4):
            raise ZooError(
                f"the prior's logits at or before place {place} of the grid, counted row by row, change with the "
                "codes from there on. It has to predict each code from those before it, like networks.pixelcnn."
            )


class _ShuffledGrids(keras.utils.PyDataset):
    """Batches of grids, as inputs and as targets, in an order that depends on the seed and the epoch alone."""

    def __init__(self, codes: Callable[[int], np.ndarray], batch_size: int, seed: int):
        super().__init__()
        self._codes_of_epoch, self._batch_size, self._seed = codes, batch_size, random.fold_in(seed, _PURPOSE)
        self.begin(0)

    def __len__(self) -> int:
        return math.ceil(len(self._codes) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self._codes[self._order[index * self._batch_size : (index + 1) * self._batch_size]]
        return batch, batch

    def begin(self, epoch: int) -> None:
        """Gets ready for an epoch. Keras's own `on_epoch_end` is called before the first epoch too."""
        self._codes = self._codes_of_epoch(epoch)
        words = random.bits([len(self._codes)], random.fold_in(self._seed, epoch))
        self._order = np.argsort(words.numpy(), kind="stable")
