"""Likelihoods of real pixels."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.errors import ZooError
from zoo.vae.likelihoods.base import Likelihood
from zoo.validation import check_positive


@keras.saving.register_keras_serializable(package="zoo")
class Normal(Likelihood):
    """p(x|z) = prod_i Normal(x_i; loc_i, scale_i^2), over real pixels.

    The scale is one fixed number, 0.001 + exp(a weight), or given by the decoder for each value (Kingma and Welling
    2014, appendix C.2). In the last case the decoder gives all locations first and then as many raw scales, and
    scale_i = 0.001 + softplus(raw_i + shift), with the shift that makes it `scale` at raw_i = 0. Without the
    bound the density of pixels that never change would have no largest value; 0.001 is a quarter of the
    distance between two 8-bit pixels.

    Args:
        scale: The standard deviation, in units of the pixel range [0, 1]; the first value where it is learned
            or given by the decoder.
        learned: Whether the scale is a weight, fitted with the rest (Rybkin et al. 2021).
        per_pixel: Whether the decoder gives a scale for each value; not together with `learned`.
    """

    discrete = False
    _SMALLEST = 1e-3

    def __init__(self, scale: float = 0.1, learned: bool = False, per_pixel: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.scale = check_positive(scale, "scale")
        if learned and per_pixel:
            raise ZooError("the scale is either learned, one for all, or per_pixel, from the decoder: choose one")
        if (learned or per_pixel) and not scale > self._SMALLEST:
            raise ZooError(f"scales that are learned stay above {self._SMALLEST}, and cannot start at {scale!r}")
        self.learned = learned
        self.per_pixel = per_pixel

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        return "real pixels in [0, 1], a density"

    def parameters_for(self, channels: int) -> int:
        """Returns how many numbers a pixel the decoder gives: a location a channel, and a scale if it is asked to."""
        return 2 * channels if self.per_pixel else channels

    def build(self, parameters_shape: tuple | None = None) -> None:
        """Creates the weight of a scale that is one for all and learned."""
        if not self.learned:
            return
        self._log_excess = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(math.log(self.scale - self._SMALLEST)),
            dtype="float32",
            autocast=False,
            name="log_excess",
        )

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the product of Normal distributions with these parameters."""
        if self.per_pixel:
            loc, raw_scale = tf.split(parameters, 2, axis=-1)
            shift = math.log(math.expm1(self.scale - self._SMALLEST))
            scale = self._SMALLEST + tf.math.softplus(raw_scale + shift)
        elif self.learned:
            loc, scale = parameters, self._SMALLEST + tf.exp(tf.convert_to_tensor(self._log_excess))
        else:
            loc, scale = parameters, tf.constant(self.scale, parameters.dtype)
        return tfd.Independent(tfd.Normal(loc, scale), reinterpreted_batch_ndims=3)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "scale": self.scale, "learned": self.learned, "per_pixel": self.per_pixel}
