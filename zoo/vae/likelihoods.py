"""Likelihoods p(x|z): Keras layers from the decoder's output to a distribution over images."""

import math

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.random import Seed
from zoo.sampling import draw


class Likelihood(keras.layers.Layer):
    """Base of the likelihoods.

    The decoder gives `parameters` [..., height, width, channels * parameters_per_value], float32.
    """

    parameters_per_value = 1
    discrete = True  # whether it gives probabilities, not densities

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        raise NotImplementedError

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|z) with event shape [height, width, channels]."""
        raise NotImplementedError

    def targets(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Returns what the model is fitted to, [batch, height, width, channels], given images in [0, 1]."""
        return images

    def mean(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns the mean image, in [0, 1]."""
        return tf.clip_by_value(self.distribution(parameters).mean(), 0.0, 1.0)


@keras.saving.register_keras_serializable(package="zoo")
class Bernoulli(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(logits_i)), over binary pixels.

    Args:
        binarize: How images in [0, 1] become the binary ones that this is a likelihood of. "sample" draws
            each pixel anew with its intensity as the probability of 1, every time an image is seen (the
            dynamic binarization of Burda et al. 2016, section 5); "threshold" cuts at 0.5; "none" takes
            the intensities as they are, which trains well, but then the bound is not one on a likelihood.
            Images that are binary already are not changed by any.
    """

    def __init__(self, binarize: str = "sample", **kwargs):
        super().__init__(**kwargs)
        if binarize not in ("sample", "threshold", "none"):
            raise ValueError(f"binarize is 'sample', 'threshold' or 'none', not {binarize!r}")
        self.binarize = binarize

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        return {
            "sample": "binary images, each pixel drawn with its intensity as the probability",
            "threshold": "binary images, cut at 0.5",
            "none": "intensities taken for binary pixels: comparable with itself alone",
        }[self.binarize]

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the product of Bernoulli distributions with these logits."""
        # Binary values, or intensities in between, are scored as they come: no check for integers.
        return tfd.Independent(tfd.Bernoulli(logits=parameters, dtype=tf.float32), reinterpreted_batch_ndims=3)

    def targets(self, images: tf.Tensor, seed: Seed) -> tf.Tensor:
        """Returns the images made binary in the way chosen."""
        if self.binarize == "sample":
            return draw(tfd.Bernoulli(probs=images, dtype=tf.float32), seed)
        if self.binarize == "threshold":
            return tf.cast(images > 0.5, tf.float32)
        return images

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "binarize": self.binarize}


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
