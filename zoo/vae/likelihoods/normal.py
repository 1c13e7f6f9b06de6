"""Likelihoods of real pixels."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.vae.likelihoods.base import Likelihood


@keras.saving.register_keras_serializable(package="zoo")
class Normal(Likelihood):
    """p(x|z) = prod_i Normal(x_i; loc_i, scale^2), over real pixels, with one scale for all.

    Args:
        scale: The standard deviation, in units of the pixel range [0, 1]; the first value where it is learned.
        learned: Whether the scale is a weight, fitted with the rest (Rybkin et al. 2021).
    """

    discrete = False

    def __init__(self, scale: float = 0.1, learned: bool = False, **kwargs):
        super().__init__(**kwargs)
        if not scale > 0:
            raise ValueError(f"scale is a standard deviation, above 0, not {scale!r}")
        self.scale = scale
        self.learned = learned

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        return "real pixels in [0, 1], a density"

    def build(self, parameters_shape: tuple | None = None) -> None:
        """Creates the weight of a learned scale."""
        start = keras.initializers.Constant(math.log(self.scale))
        self._log_scale = self.add_weight(
            shape=(), initializer=start, trainable=self.learned, dtype="float32", name="log_scale"
        )

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the product of Normal distributions with these means."""
        scale = tf.exp(tf.convert_to_tensor(self._log_scale))
        return tfd.Independent(tfd.Normal(parameters, scale), reinterpreted_batch_ndims=3)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "scale": self.scale, "learned": self.learned}
