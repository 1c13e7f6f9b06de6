"""A likelihood of quantized pixels with a free probability for every level."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.random import Seed, Shape, uniform
from zoo.sampling import Temperature, categories, draw, noise_for
from zoo.vae.likelihoods.levels import QuantizedDistribution, QuantizedLikelihood, level_of


@keras.saving.register_keras_serializable(package="zoo")
class Categorical(QuantizedLikelihood):
    """p(x|z) = prod_i softmax(logits_i)[k_i], x_i = k_i / (levels - 1), as in PixelRNN (van den Oord et al. 2016).

    The decoder gives the logits of the first channel's levels, then the second's, and so on: channels * levels
    numbers a pixel, which is much for large images. Nothing tells the model that levels are near to each other.

    Args:
        levels: How many values a pixel can have, evenly spaced from 0 to 1, from 2 to 65536: 256 for 8-bit images.
    """

    def parameters_for(self, channels: int) -> int:
        """Returns how many numbers a pixel the decoder gives."""
        return channels * self.levels

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the product of categorical distributions with these logits."""
        return CategoricalLevels(parameters, (parameters.shape[-1] or 0) // self.levels, self.levels)


class CategoricalLevels(QuantizedDistribution):
    """Independent levels a value, with the logits [..., height, width, channels * levels]."""

    @property
    def logits(self) -> tf.Tensor:
        """The logits, [..., height, width, channels, levels]."""
        shape = tf.concat([tf.shape(self.outputs)[:-1], [self.channels, self.levels]], axis=0)
        return tf.reshape(self.outputs, shape)

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        level = tf.cast(level_of(value, self.levels), tf.int32)
        return tf.reduce_sum(tfd.Categorical(self.logits).log_prob(level), axis=[-3, -2, -1])

    def _mean(self) -> tf.Tensor:
        values = np.linspace(0, 1, self.levels, dtype=np.float32)
        return tf.reduce_sum(tf.nn.softmax(self.logits) * values, axis=-1)


@draw.register
def _categorical_levels(
    distribution: CategoricalLevels, seed: Seed, sample_shape: Shape = (), temperature: Temperature = 1.0
) -> tf.Tensor:
    noise = noise_for(uniform, distribution, seed, sample_shape)
    level = categories(distribution.logits / temperature, noise)
    return tf.cast(level, tf.float32) / (distribution.levels - 1)
