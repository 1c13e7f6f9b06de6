"""The standard Normal prior."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.vae.priors.base import PosteriorFunction, Prior


@keras.saving.register_keras_serializable(package="zoo")
class StandardNormal(Prior):
    """p(z) = Normal(z; 0, I)."""

    def distribution(self, posterior: PosteriorFunction | None = None) -> tfd.Distribution:
        """Returns the Normal."""
        zeros = tf.zeros([self.latent_size])
        return tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), reinterpreted_batch_ndims=1)
