"""The replay buffer of persistent contrastive divergence (Du and Mordatch 2019, section 3.1).

It holds where chains ended, for later steps to go on from. It is part of checkpoints, and made when a model is
compiled, so that a model that only infers does not carry it.
"""

from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.random import Seed

_PLACES, _FRESH, _CHOICE, _ORIGIN = range(4)  # purposes of noise


class ReplayBuffer(keras.layers.Layer):
    """Positions of chains.

    Args:
        size: How many.
        reinit_rate: The share of chains, in [0, 1], that start anew instead of from the buffer.
        reinit_from_data: The share of those, in [0, 1], that start at data; the others start at noise.
    """

    def __init__(self, size: int, reinit_rate: float, reinit_from_data: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.size, self.reinit_rate, self.reinit_from_data = size, reinit_rate, reinit_from_data
        self.positions: Any = None

    def prepare(self, shape: tuple[int, ...]) -> None:
        """Fills it with noise, uniform in [0, 1], unless it is there already."""
        if self.positions is not None:
            return
        noise = keras.initializers.RandomUniform(0.0, 1.0, seed=0)
        self.positions = self.add_weight((self.size, *shape), noise, trainable=False, autocast=False, dtype="float32")
        self.built = True

    def draw(self, images: tf.Tensor, seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns places [batch] and positions to start from, as many as there are images of data."""
        count = tf.shape(images)[:1]

        def chosen(share: float, purpose: int) -> tf.Tensor:
            choice = random.uniform(count, random.fold_in(seed, purpose)) < share
            return tf.reshape(choice, [-1, *[1] * (len(images.shape) - 1)])

        places = tf.cast(random.uniform(count, random.fold_in(seed, _PLACES)) * self.size, tf.int32)
        kept = tf.gather(tf.convert_to_tensor(self.positions), places)
        noise = random.uniform(tf.shape(kept), random.fold_in(seed, _FRESH))
        fresh = tf.where(chosen(self.reinit_from_data, _ORIGIN), images, noise) if self.reinit_from_data else noise
        return places, tf.where(chosen(self.reinit_rate, _CHOICE), fresh, kept)

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
