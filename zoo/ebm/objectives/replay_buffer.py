"""The replay buffer of persistent contrastive divergence (Du and Mordatch 2019, section 3.1).

It holds where chains ended, for later steps to go on from. It is part of checkpoints, and made when a model is
compiled, so that a model that only infers does not carry it.
"""

from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.random import Seed

_PLACES, _FRESH, _CHOICE = range(3)  # purposes of noise


class ReplayBuffer(keras.layers.Layer):
    """Positions of chains.

    Args:
        size: How many.
        reinit_rate: The share of chains, in [0, 1], that start anew from noise instead of from the buffer.
    """

    def __init__(self, size: int, reinit_rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.reinit_rate = size, reinit_rate
        self.positions: Any = None

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Fills it with noise, uniform in [0, 1], unless it is there already."""
        if self.positions is not None:
            return
        noise = keras.initializers.RandomUniform(0.0, 1.0, seed=0)
        self.positions = self.add_weight((self.size, *shape), noise, trainable=False, autocast=False, dtype="float32")
        self.built = True

    def draw(self, count: tf.Tensor, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns places [count] and the positions to start from, some of them new noise."""
        noise = random.uniform(tf.stack([count]), random.fold_in(seed, _PLACES))
        places = tf.cast(noise * self.size, tf.int32)
        kept = tf.gather(tf.convert_to_tensor(self.positions), places)
        fresh = random.uniform(tf.shape(kept), random.fold_in(seed, _FRESH))
        anew = random.uniform(tf.stack([count]), random.fold_in(seed, _CHOICE)) < self.reinit_rate
        return places, tf.where(tf.reshape(anew, [-1, *([1] * (len(kept.shape) - 1))]), fresh, kept)

    def put(self, places: tf.Tensor, positions: tf.Tensor) -> None:
        """Keeps positions; where two come to one place one of them stays."""
        values = tf.tensor_scatter_nd_update(tf.convert_to_tensor(self.positions), places[:, None], positions)
        self.positions.assign(values)

    def save_own_variables(self, store: Any) -> None:
        """Writes the positions, where there are."""
        if self.positions is not None:
            super().save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Reads the positions, into a model that trains."""
        if self.positions is not None:
            super().load_own_variables(store)
