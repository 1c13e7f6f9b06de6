"""Noise-contrastive estimation (Gutmann and Hyvarinen 2010, equations 2 to 4): telling data from noise.

    loss = softplus(-G(x)) + softplus(G(y))        G(x) = -E(x) - log q(x),   y ~ q

At the minimum E is -log p, constant included: log Z is 0, the last bias having learned it. It works as far as noise
and data are hard to tell apart; q is a Normal distribution of each pixel, whose moments are those of images given to
`adapt`.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.ebm.objectives.base import Objective, Trained
from zoo.random import Seed
from zoo.validation import check_images, check_positive

_NOISE = 0  # purpose of noise


@keras.saving.register_keras_serializable(package="zoo")
class NoiseContrastiveEstimation(Objective):
    """Learns the energy by telling images from independent Normal pixels.

    Before `adapt(images)` these have a mean of 0.5 and a standard deviation of 0.3.

    Args:
        smallest_scale: The least standard deviation of a pixel of the noise, for pixels that never change.

    Raises:
        ZooError: It is not above 0.
    """

    names = ("data_energy", "sample_energy", "accuracy")

    def __init__(self, smallest_scale: float = 0.05, **kwargs: Any):
        super().__init__(**kwargs)
        self.smallest_scale = check_positive(smallest_scale, "smallest_scale")
        self._moments: Any = None

    def prepare(self, image_shape: tuple[int, int, int]) -> None:
        """Makes the moments of the noise."""
        if self._moments is None:
            constant = keras.initializers.Constant
            self._moments = [
                self.add_weight(
                    image_shape, constant(value), trainable=False, autocast=False, dtype="float32", name=name
                )
                for name, value in (("mean", 0.5), ("scale", 0.3))
            ]
            self.built = True

    def adapt(self, images: np.ndarray) -> None:
        """Gives the noise the means and standard deviations of images, [n, height, width, channels] in [0, 1].

        Raises:
            ZooError: They are no such images.
        """
        images = check_images(images)
        self.prepare(images.shape[1:])
        mean, scale = self._moments
        mean.assign(images.mean(axis=0))
        scale.assign(np.maximum(images.std(axis=0), self.smallest_scale))

    def values(self, model: Trained, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns the loss in nats, energies of data and of noise, and the share told apart rightly."""
        mean, scale = (tf.convert_to_tensor(each) for each in self._moments)
        noise = mean + scale * random.normal(tf.shape(images), random.fold_in(seed, _NOISE))
        real, fake = model.energy_of(images, training), model.energy_of(noise, training)
        axes = list(range(1, len(images.shape)))

        def log_noise(values: tf.Tensor) -> tf.Tensor:
            """Returns log q."""
            each = 0.5 * tf.square((values - mean) / scale) + tf.math.log(scale) + 0.5 * math.log(2 * math.pi)
            return -tf.reduce_sum(each, axis=axes)

        of_data, of_noise = -real - log_noise(images), -fake - log_noise(noise)
        told = 0.5 * (tf.cast(of_data > 0, tf.float32) + tf.cast(of_noise < 0, tf.float32))
        loss = tf.math.softplus(-of_data) + tf.math.softplus(of_noise)
        return {"loss": loss, "data_energy": real, "sample_energy": fake, "accuracy": told}

    def save_own_variables(self, store: Any) -> None:
        """Writes the moments, where there are."""
        if self._moments is not None:
            super().save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Reads the moments, into a model that trains."""
        if self._moments is not None:
            super().load_own_variables(store)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "smallest_scale": self.smallest_scale}
