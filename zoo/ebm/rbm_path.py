"""What leads from independent pixels to an RBM, for annealed importance sampling."""

import math
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from zoo import random
from zoo.random import Seed

if TYPE_CHECKING:
    from zoo.ebm.rbm import RBM

_HIDDEN, _VISIBLE = range(2)  # purposes of noise


class RBMPath:
    """From independent pixels with the visible biases to an RBM (Salakhutdinov and Murray 2008, section 4.1).

        log p_b(v) = b.v + sum_j softplus(share (c_j + (v W)_j))

    Args:
        model: The RBM at its end.
    """

    def __init__(self, model: "RBM"):
        self.model = model
        softplus = np.logaddexp(0, np.asarray(model.visible_bias, np.float64)).sum()
        self.log_start = float(softplus + model.hidden_units * math.log(2))

    def start(self, chains: int, seed: Seed) -> tf.Tensor:
        """Returns pixels drawn with the visible biases."""
        means = tf.sigmoid(self.model.visible_bias)
        return drawn(tf.tile(means[None], [chains, 1]), seed)

    def log_density(self, position: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        """Returns log p_b without its constant."""
        inputs = tf.matmul(position, self.model.weights_matrix) + self.model.hidden_bias
        visible = tf.linalg.matvec(position, self.model.visible_bias)
        return visible + tf.reduce_sum(tf.math.softplus(share * inputs), axis=-1)

    def step(self, position: tf.Tensor, share: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Returns pixels one step of block Gibbs sampling at p_b on."""
        model = self.model
        inputs = share * (tf.matmul(position, model.weights_matrix) + model.hidden_bias)
        hidden = drawn(tf.sigmoid(inputs), random.fold_in(seed, _HIDDEN))
        logits = share * tf.matmul(hidden, model.weights_matrix, transpose_b=True) + model.visible_bias
        return drawn(tf.sigmoid(logits), random.fold_in(seed, _VISIBLE))


def drawn(probabilities: tf.Tensor, seed: Seed, first: Seed = 0) -> tf.Tensor:
    """Returns binary units [batch, units], 1 with these probabilities; `first` is the number of the first row."""
    return tf.cast(random.uniform(tf.shape(probabilities), seed, first=first) < probabilities, tf.float32)
