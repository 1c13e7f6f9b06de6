"""The likelihood of PixelCNN++: quantized pixels, as a mixture of logistic distributions."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.random import Seed, Shape, fold_in
from zoo.sampling import Temperature, categories, draw, noise_for
from zoo.vae.likelihoods.levels import QuantizedDistribution, QuantizedLikelihood, level_of
from zoo.validation import check_count


@keras.saving.register_keras_serializable(package="zoo")
class DiscretizedLogisticMixture(QuantizedLikelihood):
    """A mixture over whole pixels of logistic distributions rounded to levels (Salimans et al. 2017, equations 1-3).

        p(pixel)            = sum_k softmax(logits)_k prod_c p(x_c | x_1 ... x_{c-1}, k)
        p(x_c | ..., k)     = sigmoid((y_c + h - loc_kc) / scale_kc) - sigmoid((y_c - h - loc_kc) / scale_kc)
        loc_kc              = loc'_kc + sum_{j<c} tanh(coefficient_kcj) y_j

    in y = 2 x - 1, where h = 1 / (levels - 1) is half the distance of two levels; for x = 0 the second sigmoid
    is 0, for x = 1 the first is 1, so that the probabilities of all levels sum to one.

    The decoder gives, a pixel: `components` logits; then by channel `components` locations loc'; then by channel
    `components` logarithms of scales; then, by pairs of channels (2,1), (3,1), (3,2), ..., `components` raw
    coefficients. Logarithms of scales are cut to [-7, 7] for 256 levels, as in the authors' code from below; for
    other numbers of levels the lower end moves with log h, so that the narrowest component always gives 97 % to
    one level.

    Args:
        components: Of the mixture.
        levels: How many values a pixel can have, evenly spaced from 0 to 1, from 2 to 65536: 256 for 8-bit images.
    """

    def __init__(self, components: int = 5, levels: int = 256, **kwargs):
        super().__init__(levels, **kwargs)
        self.components = check_count(components, "components")

    def parameters_for(self, channels: int) -> int:
        """Returns how many numbers a pixel the decoder gives: 1 + 2 channels + pairs of channels, a component."""
        return self.components * (1 + 2 * channels + math.comb(channels, 2))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the product over pixels of mixtures with these parameters."""
        # parameters_for solved for the number of channels: 1 + 2c + c(c-1)/2 = (c+1)(c+2)/2.
        numbers = (parameters.shape[-1] or 0) // self.components
        channels = (math.isqrt(8 * numbers + 1) - 3) // 2
        return LogisticMixtureLevels(parameters, channels, self.levels, self.components)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "components": self.components}


class LogisticMixtureLevels(QuantizedDistribution):
    """The distribution of `DiscretizedLogisticMixture`.

    Its `mean` is that of the logistic distributions cut off at 0 and 1 but not rounded, within half a level of
    the true one; and a component's coefficients act on the means of earlier channels, which is exact as long as
    that component has next to no mass beyond 0 and 1.

    Parameters by component are [..., components, height, width] inside: with the short axis of components last, a
    step in training takes half as long again, and nearly twice as long under XLA.
    """

    def __init__(self, outputs: tf.Tensor, channels: int, levels: int, components: int):
        super().__init__(outputs, channels, levels)
        pairs, half = math.comb(channels, 2), 1 / (levels - 1)
        self.components, self.half_width = components, half
        # Lists by channel, or by pair of channels, of [..., components, height, width].
        self.logits, *rest = tf.split(_channels_first(outputs), 1 + 2 * channels + pairs, axis=-3)
        self.locs = rest[:channels]
        smallest = -7.0 + math.log(255 * half)
        self.log_scales = [tf.clip_by_value(raw, smallest, 7.0) for raw in rest[channels : 2 * channels]]
        self.coefficients = [tf.tanh(raw) for raw in rest[2 * channels :]]

    def loc(self, channel: int, earlier: list[tf.Tensor]) -> tf.Tensor:
        """Returns the locations of a channel given earlier channels in [-1, 1], each broadcasting to a component."""
        first = math.comb(channel, 2)
        pairs = zip(self.coefficients[first : first + channel], earlier, strict=False)
        return self.locs[channel] + sum(coefficient * value for coefficient, value in pairs)

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        levels = tf.split(_channels_first(level_of(value, self.levels)), self.channels, axis=-3)
        centred = [2 * self.half_width * level - 1 for level in levels]
        by_component = self.logits - tf.reduce_logsumexp(self.logits, axis=-3, keepdims=True)
        for channel, level in enumerate(levels):
            distance = centred[channel] - self.loc(channel, centred)
            by_component += self._log_bin(distance, self.log_scales[channel], level)
        return tf.reduce_sum(tf.reduce_logsumexp(by_component, axis=-3), axis=[-2, -1])

    def _log_bin(self, distance: tf.Tensor, log_scale: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Returns log(sigmoid(a) - sigmoid(b)) at the two ends of a level, without the difference.

            sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))

        Each factor has an accurate logarithm, however thin the bin or far out. At the lowest level b is minus
        infinity, and at the highest a is infinity: the factors left are then the others.
        """
        over_scale = tf.exp(-log_scale)
        upper, lower = (distance + self.half_width) * over_scale, (distance - self.half_width) * over_scale
        log_inner = tf.math.log(-tf.math.expm1(-2 * self.half_width * over_scale))
        is_lowest, is_highest = level < 0.5, level > self.levels - 1.5
        zero = tf.zeros([])
        log_below_upper = tf.where(is_highest, zero, -tf.math.softplus(-upper))
        log_above_lower = tf.where(is_lowest, zero, -tf.math.softplus(lower))
        return log_below_upper + log_above_lower + tf.where(is_lowest | is_highest, zero, log_inner)

    def _mean(self) -> tf.Tensor:
        weights = tf.nn.softmax(self.logits, axis=-3)
        means: list[tf.Tensor] = []
        for channel, log_scale in enumerate(self.log_scales):
            means.append(_clipped_mean(self.loc(channel, means), tf.exp(log_scale)))
        centred = tf.stack([tf.reduce_sum(weights * mean, axis=-3) for mean in means], axis=-1)
        return (centred + 1) / 2


def _channels_first(images: tf.Tensor) -> tf.Tensor:
    """Returns [..., height, width, channels] as [..., channels, height, width]."""
    *batch, height, width, channels = range(len(images.shape))
    return tf.transpose(images, [*batch, channels, height, width])


def _channels_last(images: tf.Tensor) -> tf.Tensor:
    """Returns [..., channels, height, width] as [..., height, width, channels]."""
    *batch, channels, height, width = range(len(images.shape))
    return tf.transpose(images, [*batch, height, width, channels])


def _clipped_mean(loc: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Returns the mean of a logistic variable cut off at -1 and 1: -1 and the integral of P(y > t) over t.

    The mirror image of a positive location is used, since far out the two terms are then 0, not large and alike.
    """
    below = -tf.abs(loc)
    mean = scale * (tf.math.softplus((below + 1) / scale) - tf.math.softplus((below - 1) / scale)) - 1
    return tf.where(loc < 0, mean, -mean)


@draw.register
def _logistic_mixture_levels(
    distribution: LogisticMixtureLevels, seed: Seed, sample_shape: Shape = (), temperature: Temperature = 1.0
) -> tf.Tensor:
    """Chooses a component a pixel, at temperature 1, then draws the channels in order, with less noise if cooler."""
    choice = noise_for(random.uniform, distribution, fold_in(seed, 0), sample_shape)
    component = categories(_channels_last(distribution.logits), tf.unstack(choice, axis=-1)[0])
    chosen = _channels_first(tf.one_hot(component, distribution.components))
    noise = noise_for(random.uniform, distribution, fold_in(seed, 1), sample_shape)
    logistic = tf.unstack(temperature * (tf.math.log(noise) - tf.math.log1p(-noise)), axis=-1)
    levels: list[tf.Tensor] = []
    centred: list[tf.Tensor] = []
    for channel, log_scale in enumerate(distribution.log_scales):
        loc, scale = (_pick(chosen, value) for value in (distribution.loc(channel, centred), tf.exp(log_scale)))
        pixel = (loc + scale * logistic[channel] + 1) / 2
        levels.append(level_of(pixel, distribution.levels))
        centred.append(tf.expand_dims(2 * distribution.half_width * levels[-1] - 1, axis=-3))
    return tf.stack(levels, axis=-1) / (distribution.levels - 1)


def _pick(chosen: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Returns the value of the chosen component."""
    return tf.reduce_sum(chosen * values, axis=-3)
