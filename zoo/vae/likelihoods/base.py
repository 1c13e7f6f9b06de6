"""The base of the likelihoods p(x|z): Keras layers from the decoder's output to a distribution over images."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.random import Seed


class Likelihood(keras.layers.Layer):
    """Base of the likelihoods.

    The decoder gives `parameters` [..., height, width, parameters_for(channels)], float32.
    """

    discrete = True  # whether it gives probabilities, not densities

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        raise NotImplementedError

    @property
    def support(self) -> str:
        """Which of the pixels in [0, 1] it is a likelihood of, and what is one of others; "" if of all."""
        return ""

    def parameters_for(self, channels: int) -> int:
        """Returns how many numbers a pixel the decoder gives, for images of so many channels."""
        return channels

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|z) with event shape [height, width, channels]."""
        raise NotImplementedError

    def check(self, images: np.ndarray) -> None:
        """Checks that images in [0, 1] are in the support.

        Raises:
            ZooError: They are not; the message names a likelihood that fits.
        """

    def supports(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether images in [0, 1] pass `check`, in a graph."""
        return tf.constant(True)

    def targets(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Returns what the model is fitted to, [batch, height, width, channels], given images in [0, 1]."""
        return images

    @property
    def draws_targets(self) -> bool:
        """Whether `targets` depend on the seed."""
        return False

    def seen(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what an encoder gets of images outside of training: the targets, where they are not drawn.

        Where they are, it gets the images as they are: grey ones stand for all the binary ones drawn from them.
        """
        return images if self.draws_targets else self.targets(images, 0)

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns the mean image, in [0, 1]."""
        return tf.clip_by_value(self.distribution(parameters).mean(), 0.0, 1.0)
