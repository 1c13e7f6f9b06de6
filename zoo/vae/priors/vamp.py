"""The VampPrior (Tomczak and Welling 2018): a mixture of posteriors at learned pseudo-inputs."""

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.errors import ZooError
from zoo.vae.priors.base import PosteriorFunction, Prior
from zoo.vae.priors.components import as_components
from zoo.validation import check_count, check_positive


@keras.saving.register_keras_serializable(package="zoo")
class VampPrior(Prior):
    """p(z) = 1/K sum_k q(z|u_k), with learned pseudo-inputs u_k in [0, 1] (equation 9).

    The pseudo-inputs are the sigmoids of weights, drawn at first around `mean` (the mean pixel is a good one).

    Args:
        latent_size: The number of latent dimensions, at least 1.
        components: K, the number of pseudo-inputs.
        mean: The intensity that pseudo-inputs start near, in (0, 1).
    """

    _SPREAD = 0.5  # of the weights at first: far enough apart to become different components

    def __init__(self, latent_size: int, components: int = 500, mean: float = 0.1, **kwargs):
        super().__init__(latent_size, **kwargs)
        self.components, self.mean = check_count(components, "components"), check_positive(mean, "mean")
        if self.mean >= 1:
            raise ZooError(f"mean is an intensity between 0 and 1, not {mean!r}")

    def build(self, image_shape: tuple[int, ...] | None = None) -> None:
        """Creates the pseudo-inputs, for a model of images [height, width, channels]."""
        if image_shape is None:
            raise ZooError("a VampPrior is built with the shape of the images: build((height, width, channels))")
        start = float(tf.math.log(self.mean / (1 - self.mean)))
        self._logits = self.add_weight(
            shape=(self.components, *image_shape),
            initializer=keras.initializers.RandomNormal(start, self._SPREAD),
            dtype="float32",
            name="pseudo_input_logits",
        )

    @property
    def pseudo_inputs(self) -> tf.Tensor:
        """The pseudo-inputs, [components, height, width, channels] in [0, 1]."""
        return tf.sigmoid(tf.convert_to_tensor(self._logits))

    def distribution(self, posterior: PosteriorFunction | None = None) -> tfd.Distribution:
        """Returns the mixture of the posteriors at the pseudo-inputs."""
        if posterior is None:
            raise ZooError("a VampPrior is made of the posterior: distribution(model.posterior)")
        weights = tfd.Categorical(logits=tf.zeros([self.components]))
        return tfd.MixtureSameFamily(weights, as_components(posterior(self.pseudo_inputs)))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "components": self.components, "mean": self.mean}
