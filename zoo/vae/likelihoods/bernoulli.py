"""Likelihoods of binary pixels."""

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.errors import ZooError
from zoo.random import Seed
from zoo.sampling import draw
from zoo.vae.likelihoods.base import Likelihood


@keras.saving.register_keras_serializable(package="zoo")
class Bernoulli(Likelihood):
    """p(x|z) = prod_i Bernoulli(x_i; sigmoid(logits_i)), over binary pixels.

    Args:
        binarize: How images in [0, 1] become the binary ones that this is a likelihood of. "sample" draws
            each pixel anew with its intensity as the probability of 1, every time an image is seen (the
            dynamic binarization of Burda et al. 2016, section 5); "threshold" cuts at 0.5; "none" takes
            the pixels as they are, which must be binary already: for intensities in between the bound is not
            one on a likelihood, and `check` refuses them. Binary images are not changed by any.
    """

    def __init__(self, binarize: str = "sample", **kwargs):
        super().__init__(**kwargs)
        if binarize not in ("sample", "threshold", "none"):
            raise ZooError(f"binarize is 'sample', 'threshold' or 'none', not {binarize!r}")
        self.binarize = binarize

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        return {
            "sample": "binary images, each pixel drawn with its intensity as the probability",
            "threshold": "binary images, cut at 0.5",
            "none": "binary images",
        }[self.binarize]

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the product of Bernoulli distributions with these logits."""
        return tfd.Independent(tfd.Bernoulli(logits=parameters, dtype=tf.float32), reinterpreted_batch_ndims=3)

    @property
    def support(self) -> str:
        """0 and 1, where nothing makes pixels so."""
        if self.binarize != "none":
            return ""
        return "0 and 1 alone, where Bernoulli(binarize='sample') and ContinuousBernoulli() take grey pixels too"

    def check(self, images: np.ndarray) -> None:
        """Checks that images are binary, where nothing makes them so.

        Raises:
            ZooError: A pixel is neither 0 nor 1.
        """
        if self.binarize != "none":
            return
        grey = images[(images != 0) & (images != 1)]
        if grey.size:
            raise ZooError(
                f"images hold pixels such as {grey[0]:.4g}, but Bernoulli(binarize='none') is a likelihood of 0 and 1 "
                "alone. Use Bernoulli(binarize='sample'), which makes them binary, or ContinuousBernoulli()."
            )

    def supports(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether images in [0, 1] pass `check`, in a graph."""
        return tf.reduce_all((images == 0) | (images == 1)) if self.binarize == "none" else tf.constant(True)

    @property
    def draws_targets(self) -> bool:
        """Whether `targets` depend on the seed."""
        return self.binarize == "sample"

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
