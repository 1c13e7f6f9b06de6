"""The base of the posteriors q(z|x): Keras layers from the encoder's features to a distribution over latents."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.validation import check_count


class Posterior(keras.layers.Layer):
    """Base of the posteriors.

    `call` maps features [batch, ...] to float32 parameters [batch, size], and `distribution` maps those to a
    `tfd.Distribution` with batch shape [batch] and event shape [latent_size].

    Args:
        latent_size: The number of latent dimensions, at least 1.
    """

    has_fast_density = True  # at points that are not its own draws too

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(**kwargs)
        self.latent_size = check_count(latent_size, "latent_size")

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns q(z|x) with batch shape [batch] and event shape [latent_size]."""
        raise NotImplementedError

    def statistics(self, distribution: tfd.Distribution) -> dict[str, tf.Tensor]:
        """Returns the tensors [batch, latent_size] that describe q(z|x) where only tensors can go."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "latent_size": self.latent_size}
