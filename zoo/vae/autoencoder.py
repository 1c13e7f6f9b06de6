"""Autoencoders: plain, denoising (Vincent et al. 2010) and sparse, with a density over codes fitted afterwards.

    code         c(x), from the encoder: one point, no distribution
    likelihood   p(x|c), parameters from the decoder

    stage one, `fit`                   minimizes -log p(x|c(corrupted x)) + sparsity * sum_j |c_j| / rms(c_j)
    stage two, `fit_latent_density`    maximizes  log p(c(x)) over a mixture or a flow (Ghosh et al. 2020, section 4)

The root of the mean square of each latent is that over the batch. Dividing by it leaves the shape of a latent's
distribution to the penalty, few values far from 0 and many near it (Hoyer 2004, section 3.1, counts sparseness so),
and takes away the way out of a plain L1 norm: small codes, and a decoder that blows them up again.

Shapes: x is [batch, height, width, channels], codes are [batch, latent_size]. All values are in nats an image.
"""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError
from zoo.networks.inputs import known_shape
from zoo.paths import straight
from zoo.sampling import draw
from zoo.signature import COUNT, FIRST, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor
from zoo.vae.corruptions import CORRUPTIONS, check_corruption
from zoo.vae.latent_density import fit_density
from zoo.vae.likelihoods import Likelihood
from zoo.vae.parts import find_layer
from zoo.vae.priors import AutoregressiveFlow, GaussianMixture, Prior, VampPrior
from zoo.vae.vector_latents import VectorLatents
from zoo.validation import check_count, check_positive, check_seed

DENSITIES = {
    "gaussian_mixture": lambda latent_size: GaussianMixture(latent_size, components=10, covariance="full"),
    "flow": AutoregressiveFlow,
}
_CONSTANT = 1e-6  # the standard deviation below which a code does not vary


@keras.saving.register_keras_serializable(package="zoo")
class Autoencoder(VectorLatents):
    """An autoencoder from any two Keras networks.

    Train it with `fit`, then `fit_latent_density`; until then there are no samples. A later `fit` changes what the
    codes mean, and asks for `fit_latent_density` again.

    Args:
        encoder: Maps images [batch, height, width, channels] to features of any shape, which a linear layer maps to
            the code. Its input shape must be known.
        decoder: Maps codes [batch, latent_size] to the likelihood's parameters. No final activation.
        likelihood: "bernoulli", "normal", or a `Likelihood` layer.
        corruption: What the encoder's input suffers in `fit` and `evaluate`: None, "gaussian", "masking" or
            "salt_and_pepper".
        corruption_level: The standard deviation of "gaussian"; the share of values that others change.
        sparsity: The weight of the mean size of a code's values, each over its root mean square; at least 0, in nats.
        density: "gaussian_mixture" (10 components with full covariances), "flow" (autoregressive), or a `Prior`
            layer that needs no posterior.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The parts do not fit together, a name is not known, or a number is out of its range.

    Example:
        >>> networks = zoo.networks
        >>> model = Autoencoder(networks.mlp_encoder((8, 8, 1)), networks.mlp_decoder(16, (8, 8, 1)))
        >>> model.compile(optimizer="adam")
        >>> model.fit(images, epochs=10)
        >>> model.fit_latent_density(images)
        >>> model.sample(64, seed=0).shape
        (64, 8, 8, 1)
    """

    part_attributes: ClassVar[dict[str, str]] = {**VectorLatents.part_attributes, "density": "density_layer"}
    objective_names = ("loss", "reconstruction", "sparsity")
    path = staticmethod(straight)  # codes have no distribution that would bend it

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: str | Likelihood = "bernoulli",
        corruption: str | None = None,
        corruption_level: float = 0.25,
        sparsity: float = 0.0,
        density: str | Prior = "gaussian_mixture",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self._set_networks(encoder, decoder, likelihood)
        (self.latent_size,) = known_shape(decoder, "decoder", "keras.Input((latent_size,))", rank=1)
        self.corruption, self.corruption_level = corruption, check_positive(corruption_level, "corruption_level", True)
        self.sparsity = check_positive(sparsity, "sparsity", or_zero=True)
        self.density_layer = find_layer(density, DENSITIES, Prior, "density", self.latent_size)
        check_corruption(corruption, self.corruption_level)
        self._check_parts()
        self._flatten = keras.layers.Flatten(dtype=self.dtype_policy, name="flatten")
        # Float32 whatever the policy, for the density is of these numbers.
        self._linear = keras.layers.Dense(self.latent_size, dtype="float32", name="code")
        self._build_parts()

    def _build_parts(self) -> None:
        features_shape = self._flatten.compute_output_shape(self.encoder.output_shape)
        self._build_layers(((self._linear, features_shape), (self.density_layer, self.image_shape)))
        # Not in `fit`. True first, because Keras skips an assignment of the value that is there, and the parts of a
        # layer that was saved as not trainable come back trainable.
        self.density_layer.trainable = True
        self.density_layer.trainable = False
        self._code_mean = self._constant("code_mean", (self.latent_size,), "zeros")
        self._code_scale = self._constant("code_scale", (self.latent_size,), "ones")
        # A weight, so that every format that keeps weights knows whether the density is of use.
        self._density_is_fitted = self._constant("density_is_fitted", (), "zeros")
        self.built = True

    def _constant(self, name: str, shape: tuple[int, ...], initializer: str) -> keras.Variable:
        options = {"dtype": "float32", "trainable": False, "autocast": False}
        return self.add_weight(name=name, shape=shape, initializer=initializer, **options)

    def _check_parts(self) -> None:
        if isinstance(self.density_layer, VampPrior):
            raise ZooError("a VampPrior is made of a posterior, and an autoencoder has none. Use another density.")
        if self.density_layer.latent_size != self.latent_size:
            raise ZooError(
                f"{type(self.density_layer).__name__} has latent_size {self.density_layer.latent_size}, but the "
                f"decoder takes codes of size {self.latent_size}. Give both the same."
            )

    # The parts.

    def code(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the codes of images, float32 [batch, latent_size]."""
        return self._linear(self._flatten(self.encoder(images, training=training)))

    def likelihood(self, codes: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """Returns p(x|c) of codes float32 [batch, latent_size], of images as the likelihood models them.

        Its batch shape is [batch], its event shape [height, width, channels].
        """
        return self.likelihood_layer.distribution(self._parameters(codes, training))

    def latent_density(self) -> tfd.Distribution:
        """Returns p(c) with event shape [latent_size]: the density layer, moved and scaled to the codes.

        Raises:
            ZooError: It is not fitted yet.
        """
        self._require_density()
        mean, scale = tf.convert_to_tensor(self._code_mean), tf.convert_to_tensor(self._code_scale)
        return tfd.TransformedDistribution(self.density_layer.distribution(), tfb.Shift(mean)(tfb.Scale(scale)))

    def mean_image(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the mean images of codes, in [0, 1]."""
        return self.likelihood_layer.mean(self._parameters(codes))

    # Training.

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns "loss" = "sparsity" - "reconstruction", each [batch], in nats.

        The seed decides the corruption, and the draw of x where the likelihood binarizes at random.
        """
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        codes = self.code(self._corrupted(targets, random.fold_in(seed, 1)), training)
        reconstruction = self.likelihood(codes, training).log_prob(targets)
        spread = tf.sqrt(tf.reduce_mean(tf.square(codes), axis=0) + _CONSTANT**2)
        sparsity = self.sparsity * tf.reduce_sum(tf.abs(codes) / spread, axis=-1)
        return {"loss": sparsity - reconstruction, "reconstruction": reconstruction, "sparsity": sparsity}

    def _corrupted(self, images: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        if self.corruption is None:
            return images
        return CORRUPTIONS[self.corruption](images, self.corruption_level, seed)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Takes a step; a density of the codes before is of no use after it, and is refused."""
        self._density_is_fitted.assign(0.0)
        return super().train_step(data)

    @property
    def averages_over(self) -> str | None:
        """The sparsity, where there is any."""
        return "the sparsity" if self.sparsity else None

    def fit_latent_density(
        self,
        images: np.ndarray,
        *,
        seed: int = 0,
        epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        verbose: Any = 0,
    ) -> float:
        """Fits the density to the codes of images; the autoencoder stays as it is.

        Codes are standardized first. A Gaussian mixture is fitted anew by expectation maximization
        (`sklearn.mixture.GaussianMixture`), and a warning says if it has not converged; a flow is fitted by
        gradients, from the weights that it has. That it is fitted is saved with the model.

        Args:
            images: [n, height, width, channels] in [0, 1]; binarized once, with `seed`, where the likelihood
                binarizes at random.
            seed: An integer in [0, 2**63).
            epochs: Iterations of expectation maximization at most, or passes over the codes.
            batch_size: Codes a gradient step.
            learning_rate: Of Adam, for gradient steps.
            verbose: As in `keras.Model.fit`, for gradient steps.

        Returns:
            The mean of log p(c(x)) over the images, in nats.

        Raises:
            ZooError: The images are not as described, there are fewer than components, or a number is out of its
                range.
        """
        images, seed = self._checked_images(images, "images"), check_seed(seed)
        options = (check_count(epochs, "epochs"), check_count(batch_size, "batch_size"))
        rate = check_positive(learning_rate, "learning_rate")
        targets = self.likelihood_layer.targets(tf.constant(images), random.fold_in(seed, 0)).numpy()
        codes = self.run_in_batches("encode", image=targets)["latent"]
        mean, scale = codes.mean(axis=0), codes.std(axis=0)
        scale = np.where(scale > _CONSTANT, scale, 1.0).astype(np.float32)
        self._density_is_fitted.assign(0.0)  # not while it is half done
        with self.distribute_strategy.scope():
            fit_density(self.density_layer, (codes - mean) / scale, seed, *options, rate, verbose)
        self._code_mean.assign(mean)
        self._code_scale.assign(scale)
        self._density_is_fitted.assign(1.0)
        return float(tf.reduce_mean(self.latent_density().log_prob(codes)))

    @property
    def density_is_fitted(self) -> bool:
        """Whether `fit_latent_density` has run."""
        with tf.init_scope():
            return bool(keras.ops.convert_to_numpy(self._density_is_fitted))

    @property
    def unfitted(self) -> str:
        """What the model cannot do yet, and the call that mends it, or ""."""
        if self.density_is_fitted:
            return ""
        return (
            "the density over codes is not fitted yet, so there is nothing to draw from: call "
            "fit_latent_density(images) after fit(images)."
        )

    def _require_density(self) -> None:
        if self.unfitted:
            raise ZooError(self.unfitted)

    # The verbs.

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns reconstructions [batch, height, width, channels] in [0, 1]."""
        return self.mean_image(self._encode(images)["latent"])

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Returns the codes of images, float32 [batch, latent_size].

        Raises:
            ZooError: The images are not as described.
        """
        return self.location(images)

    def location(self, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns the codes of images, as `encode` does."""
        return self.run_in_batches("encode", **self.checked_batch(images, labels))["latent"]

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        codes = draw(self.latent_density(), seed, [n], temperature).numpy()
        return self.run_in_batches("decode", latent=codes)["image"]

    def run(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature; see `GenerativeModel.run`. `sample` needs a fitted density."""
        if name == "sample":
            self._require_density()
        return super().run(name, **inputs)

    # Export and serialization.

    def signatures(self) -> dict[str, Signature]:
        """Returns `encode`, `decode`, `reconstruct`, and with a fitted density `sample`."""
        image, copy = image_tensor("image", self.image_shape), image_tensor("reconstruction", self.image_shape)
        latent = NamedTensor("latent", ("batch", self.latent_size), description="code")
        signatures = [
            Signature("encode", self._encode, (image,), (latent,), description="Image to code."),
            Signature("decode", self._decode, (latent,), (image,), description="Code to mean image."),
            Signature("reconstruct", self._reconstruct, (image,), (copy,), description="Image to mean image."),
        ]
        if self.density_is_fitted:
            drawn = (image_tensor("image", self.image_shape, "n"),)
            inputs = (SEED, COUNT, TEMPERATURE, FIRST)
            signatures.append(Signature("sample", self._sample, inputs, drawn, description="New images."))
        return {signature.name: signature for signature in signatures}

    def _encode(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"latent": self.code(self.likelihood_layer.seen(image))}

    def _decode(self, latent: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": self.mean_image(latent)}

    def _reconstruct(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"reconstruction": self.call(image)}

    def _sample(self, seed: tf.Tensor, n: tf.Tensor, temperature: tf.Tensor, first: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": self.mean_image(draw(self.latent_density(), seed, tf.reshape(n, [1]), temperature, first))}

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        options = ("corruption", "corruption_level", "sparsity")
        return {**super().get_config(), **{name: getattr(self, name) for name in options}}
