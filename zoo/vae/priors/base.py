"""The base of the priors p(z): Keras layers, for a prior may have weights, that give a distribution over latents."""

from collections.abc import Callable

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.validation import check_count

PosteriorFunction = Callable[[tf.Tensor], tfd.Distribution]


class Prior(keras.layers.Layer):
    """Base of the priors.

    Args:
        latent_size: The number of latent dimensions, at least 1.
    """

    def __init__(self, latent_size: int, **kwargs):
        super().__init__(**kwargs)
        self.latent_size = check_count(latent_size, "latent_size")

    def build(self, image_shape: tuple[int, ...] | None = None) -> None:
        """Creates the weights, for a model of images [height, width, channels]."""

    def distribution(self, posterior: PosteriorFunction | None = None) -> tfd.Distribution:
        """Returns p(z) with batch shape [] and event shape [latent_size].

        Args:
            posterior: Maps images to q(z|x), for priors that are made of it.
        """
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "latent_size": self.latent_size}
