"""The vector-quantized autoencoder, VQ-VAE (van den Oord et al. 2017), and its scalar kin (Mentzer et al. 2023).

    codes        c(x), a grid of integers, from the encoder and the quantizer: a deterministic posterior
    likelihood   p(x|c), parameters from the decoder at the vectors of the codes
    prior        p(c), an autoregressive network over grids

    stage one, `fit`         minimizes -log p(x|c(x)) + commitment * |encoder(x) - sg[vectors]|^2     (equation 3)
    stage two, `fit_prior`   maximizes  log p(c(x)), with everything else as it is                    (section 3.3)

    log p(x) = log sum_c p(c) p(x|c) >= log p(c(x)) + log p(x|c(x)) = elbo(x)

The distance in the commitment is summed over places and channels, as the likelihood is summed over pixels; the
paper averages it over places. The gradient of the likelihood passes the quantizer unchanged.

Shapes: x is [batch, height, width, channels], codes are int32 [batch, rows, columns]. All values are in nats an
image.
"""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError
from zoo.model import VERB_BATCH
from zoo.networks.inputs import known_shape
from zoo.paths import check_ends, straight
from zoo.vae.code_model import CodeModel
from zoo.vae.likelihoods import Likelihood
from zoo.vae.parts import find_layer
from zoo.vae.quantizers import QUANTIZERS, Quantized, Quantizer, perplexity
from zoo.validation import check_images, check_positive


@keras.saving.register_keras_serializable(package="zoo")
class VQVAE(CodeModel):
    """An autoencoder whose latents are grids of codes, with a prior over grids that is fitted afterwards.

    Train it with `fit`, then `fit_prior`. Until `fit_prior` has run there are no samples and no bound. A later
    `fit` changes what the codes mean, and asks for `fit_prior` again.

    Args:
        encoder: Maps images [batch, height, width, channels] in [0, 1] to features [batch, rows, columns, d], for
            example `networks.grid_encoder`.
        decoder: Maps vectors [batch, rows, columns, d] to the likelihood's parameters, for example
            `networks.grid_decoder`.
        quantizer: "ema" for `VectorQuantizer()`, "fsq" for `FiniteScalarQuantizer()`, or a `Quantizer` layer.
        prior: A network from codes int32 [batch, rows, columns] to logits [batch, rows, columns, number of codes],
            each from the codes before it, row by row; None for `networks.pixelcnn` with its defaults.
        likelihood: "bernoulli", "normal", or a `Likelihood` layer.
        commitment: The weight of the commitment, at least 0. Beta in the paper.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The parts do not fit together, a name is not known, or the weight is negative.

    Example:
        >>> encoder = networks.grid_encoder((28, 28, 1), channels=16)
        >>> model = VQVAE(encoder, networks.grid_decoder(encoder.output_shape[1:], (28, 28, 1)))
        >>> model.compile(optimizer="adam")
        >>> model.fit(images, epochs=10)
        >>> model.fit_prior(images, epochs=10)
        >>> model.sample(64, seed=0, temperature=0.9).shape
        (64, 28, 28, 1)
    """

    part_attributes: ClassVar[dict[str, str]] = {
        **CodeModel.part_attributes,
        "quantizer": "quantizer",
        "prior": "prior_network",
    }
    objective_names = ("loss", "reconstruction", "commitment", "perplexity")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        quantizer: str | Quantizer = "ema",
        prior: keras.Model | None = None,
        likelihood: str | Likelihood = "bernoulli",
        commitment: float = 0.25,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self._set_networks(encoder, decoder, likelihood)
        self.quantizer = find_layer(quantizer, QUANTIZERS, Quantizer, "quantizer")
        self.commitment = check_positive(commitment, "commitment", or_zero=True)
        self._check_networks()
        self._build_layers([(self.quantizer, encoder.output_shape)])
        self.grid_shape = tuple(encoder.output_shape[1:3])
        self.num_codes = self.quantizer.num_codes
        self._set_prior(prior)
        self.built = True

    def _check_networks(self) -> None:
        known_shape(self.decoder, "decoder", "keras.Input((7, 7, 64))", rank=3)
        features, taken = tuple(self.encoder.output_shape[1:]), tuple(self.decoder.input_shape[1:])
        if len(features) != 3 or None in features or features != taken:
            raise ZooError(
                f"the encoder gives features {list(features)} and the decoder takes {list(taken)}, expected the same "
                "rows, columns and channels. See networks.grid_encoder and networks.grid_decoder."
            )

    @property
    def averages_over(self) -> str | None:
        """The codebook, where there is one."""
        return self.quantizer.learns_from

    # The distributions.

    def quantized(self, images: tf.Tensor, training: bool = False, seed: random.Seed = 0) -> Quantized:
        """Returns the vectors, codes and commitment of images; in training the codebook learns from them."""
        features = tf.cast(self.encoder(images, training=training), tf.float32)
        return self.quantizer(features, training=training, seed=seed)

    def codes(self, images: tf.Tensor) -> tf.Tensor:
        """Returns c(x), int32 [batch, rows, columns]."""
        return self.quantized(images).codes

    def interpolate(self, first: np.ndarray, second: np.ndarray, steps: int = 8) -> np.ndarray:
        """Returns images on the way from the first images to the second: straight between features, then quantized.

        Codes have no in-between of their own, and no dimensions to traverse; what the encoder gives has.

        Args:
            first: Images [batch, height, width, channels] in [0, 1].
            second: As many images.
            steps: Images a path, with both ends, at least 2.

        Returns:
            float32 [batch, steps, height, width, channels]. The ends are reconstructions.

        Raises:
            ZooError: The images are not as described, or not as many.
        """
        steps = check_ends(first, second, steps)
        start, end = (self._features(check_images(images, self.image_shape)) for images in (first, second))
        between = straight(start.reshape(len(start), -1), end.reshape(len(end), -1), steps)
        features = between.reshape(-1, *start.shape[1:])
        parts = (features[index : index + VERB_BATCH] for index in range(0, len(features), VERB_BATCH))
        images = self.decode(np.concatenate([self.quantizer(part).codes.numpy() for part in parts]))
        return images.reshape(len(start), steps, *self.image_shape)

    def _features(self, images: np.ndarray) -> np.ndarray:
        parts = (images[index : index + VERB_BATCH] for index in range(0, len(images), VERB_BATCH))
        seen = (self.encoder(self.likelihood_layer.seen(tf.constant(part)), training=False) for part in parts)
        return np.concatenate([tf.cast(part, tf.float32).numpy() for part in seen])

    def likelihood(self, codes: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|c) of codes int32 [batch, rows, columns], of images as the likelihood models them.

        Its batch shape is [batch], its event shape [height, width, channels].
        """
        return self.likelihood_layer.distribution(self._parameters(self.quantizer.look_up(codes)))

    def mean_image(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the mean images of codes, in [0, 1]."""
        return self.likelihood_layer.mean(self._parameters(self.quantizer.look_up(codes)))

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns what stage one minimizes and its terms, [batch], in nats, and the perplexity of the batch's codes."""
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        found = self.quantized(targets, training, random.fold_in(seed, 1))
        parameters = self._parameters(found.vectors, training)
        reconstruction = self.likelihood_layer.distribution(parameters).log_prob(targets)
        used = perplexity(found.codes, self.num_codes)
        return {
            "loss": self.commitment * found.commitment - reconstruction,
            "reconstruction": reconstruction,
            "commitment": found.commitment,
            "perplexity": used + tf.zeros_like(reconstruction),
        }

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        return {**super().get_config(), "commitment": self.commitment}
