"""Priors p(z): Keras layers, for a prior may have weights, that give a distribution over latents."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd


class Prior(keras.layers.Layer):
    """Base of the priors.

    Args:
        latent_size: The number of latent dimensions, at least 1.
    """

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(**kwargs)
        self.latent_size = latent_size

    def distribution(self) -> tfd.Distribution:
        """Returns p(z) with batch shape [] and event shape [latent_size]."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "latent_size": self.latent_size}


@keras.saving.register_keras_serializable(package="zoo")
class StandardNormal(Prior):
    """p(z) = Normal(z; 0, I)."""

    def distribution(self) -> tfd.Distribution:
        """Returns the Normal."""
        zeros = tf.zeros([self.latent_size])
        return tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), reinterpreted_batch_ndims=1)
