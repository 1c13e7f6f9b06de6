"""A likelihood of intensities in [0, 1]."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.vae.likelihoods.base import Likelihood


@keras.saving.register_keras_serializable(package="zoo")
class ContinuousBernoulli(Likelihood):
    """p(x|z) = prod_i C(l_i) l_i^x_i (1 - l_i)^(1 - x_i), l = sigmoid(logits), over intensities in [0, 1].

    The Bernoulli formula with the constant C that makes it a density on [0, 1] (Loaiza-Ganem and Cunningham
    2019, equations 6 and 7), so that the bound is one on a log-density of grey images. The mean is not l but
    their equation 8.
    """

    discrete = False

    @property
    def describes(self) -> str:
        """What it is the likelihood of, in a few words for cards."""
        return "intensities in [0, 1], a density"

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the product of continuous Bernoulli distributions with these logits."""
        return tfd.Independent(tfd.ContinuousBernoulli(logits=parameters), reinterpreted_batch_ndims=3)
