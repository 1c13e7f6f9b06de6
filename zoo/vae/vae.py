"""The variational autoencoder (Kingma and Welling 2014; Rezende et al. 2014).

    prior        p(z)
    likelihood   p(x|z), parameters from the decoder
    posterior    q(z|x), parameters from the encoder, an approximation of p(z|x)

    log p(x) >= elbo(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z))         (equation 3)
    log p(x)  = log E_q[p(x, z) / q(z|x)]                              (importance weights)

Shapes: x is [batch, height, width, channels], z is [batch, latent_size]. All values are in nats an image:
summed over pixels and latent dimensions.
"""

import copy
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError, near_miss
from zoo.metrics.likelihood import LogLikelihood, importance_weighted
from zoo.model import GenerativeModel
from zoo.sampling import draw
from zoo.signature import COUNT, SEED, NamedTensor, Signature, image_tensor
from zoo.vae.likelihoods import LIKELIHOODS, Likelihood
from zoo.vae.posteriors import POSTERIORS, Posterior
from zoo.vae.priors import PRIORS, Prior
from zoo.validation import check_count, check_images, check_seed


class Encoding(NamedTuple):
    """What `VAE.encode` returns: the posterior's location and scale, float32 [batch, latent_size]."""

    loc: np.ndarray
    scale: np.ndarray


@keras.saving.register_keras_serializable(package="zoo")
class VAE(GenerativeModel):
    """A variational autoencoder from any two Keras networks.

    Args:
        encoder: Maps images [batch, height, width, channels] in [0, 1] to features of any shape. Its input
            shape must be known (a functional model, or a Sequential one that starts with `keras.Input`).
        decoder: Maps latents [batch, latent_size] to the likelihood's parameters, [batch, height, width,
            channels] for those of this module; logits for Bernoulli, means for Normal. No final activation.
        posterior: "diagonal_normal", or a `Posterior` layer.
        prior: "standard_normal", or a `Prior` layer.
        likelihood: "bernoulli", "normal", or a `Likelihood` layer.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The parts do not fit together, or a name is not known.

    Example:
        >>> model = zoo.VAE(networks.mlp_encoder((8, 8, 1)), networks.mlp_decoder(16, (8, 8, 1)))
        >>> model.compile(optimizer="adam")
        >>> model.fit(images, epochs=10)
        >>> model.sample(64, seed=0).shape
        (64, 8, 8, 1)
    """

    objective_names = ("loss", "elbo", "reconstruction", "kl")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        posterior: str | Posterior = "diagonal_normal",
        prior: str | Prior = "standard_normal",
        likelihood: str | Likelihood = "bernoulli",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self.encoder, self.decoder = encoder, decoder
        height, width, channels = _known_shape(encoder, "encoder", "keras.Input((28, 28, 1))", rank=3)
        self._image_shape = (height, width, channels)
        (self.latent_size,) = _known_shape(decoder, "decoder", "keras.Input((latent_size,))", rank=1)
        self.posterior_layer = _layer(posterior, POSTERIORS, Posterior, "posterior", self.latent_size)
        self.prior_layer = _layer(prior, PRIORS, Prior, "prior", self.latent_size)
        self.likelihood_layer = _layer(likelihood, LIKELIHOODS, Likelihood, "likelihood")
        self._check_parts()
        for layer, shape in (
            (self.posterior_layer, encoder.output_shape),
            (self.prior_layer, self._image_shape),
            (self.likelihood_layer, decoder.output_shape),
        ):
            if not layer.built:
                layer.build(shape)
                layer.built = True
        self.built = True

    def _check_parts(self) -> None:
        for part in (self.posterior_layer, self.prior_layer):
            if part.latent_size != self.latent_size:
                raise ZooError(
                    f"{type(part).__name__} has latent_size {part.latent_size}, but the decoder takes latents of "
                    f"size {self.latent_size}. Give both the same."
                )
        height, width, channels = self.image_shape
        wanted = (height, width, channels * self.likelihood_layer.parameters_per_value)
        given = tuple(self.decoder.output_shape[1:])
        if given != wanted:
            raise ZooError(
                f"the decoder gives {list(given)}, but {type(self.likelihood_layer).__name__} for images "
                f"{list(self.image_shape)} needs {list(wanted)}. Change the decoder's last layer."
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

    # The distributions.

    def posterior(self, images: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """Returns q(z|x) with batch shape [batch] and event shape [latent_size]."""
        features = self.encoder(images, training=training)
        return self.posterior_layer.distribution(tf.cast(self.posterior_layer(features), tf.float32))

    def prior(self) -> tfd.Distribution:
        """Returns p(z) with event shape [latent_size]."""
        return self.prior_layer.distribution(self.posterior)

    def likelihood(self, latents: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """Returns p(x|z) with batch shape [batch] and event shape [height, width, channels]."""
        return self.likelihood_layer.distribution(self._parameters(latents, training))

    def _parameters(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        return tf.cast(self.decoder(latents, training=training), tf.float32)

    def _mean_image(self, latents: tf.Tensor) -> tf.Tensor:
        return self.likelihood_layer.mean(self._parameters(latents))

    # The bound.

    def elbo(self, images: tf.Tensor, seed: random.Seed, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the bound and its terms, estimated with one draw of z an image.

        Args:
            images: [batch, height, width, channels] in [0, 1].
            seed: An integer; decides the draw of z, and of x where the likelihood binarizes at random.
            training: As in Keras.

        Returns:
            "elbo" = "reconstruction" - "kl", each [batch], in nats.
        """
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        posterior = self.posterior(targets, training)
        latents = draw(posterior, random.fold_in(seed, 1))
        reconstruction = self.likelihood(latents, training).log_prob(targets)
        kl = self._kl(posterior, latents)
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

    def _kl(self, posterior: tfd.Distribution, latents: tf.Tensor) -> tf.Tensor:
        """Returns KL(q || p) in closed form where TFP knows one, else its one-draw estimate log q - log p."""
        prior = self.prior()
        try:
            return tfd.kl_divergence(posterior, prior)
        except NotImplementedError:
            return posterior.log_prob(latents) - prior.log_prob(latents)

    def objective(self, images: tf.Tensor, seed: random.Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns the loss, -elbo, and the terms of the bound, each [batch], in nats."""
        terms = self.elbo(images, seed, training)
        return {"loss": -terms["elbo"], **terms}

    def log_weights(self, targets: tf.Tensor, num_samples: random.Seed, seed: random.Seed) -> tf.Tensor:
        """Returns log p(x, z) - log q(z|x), [num_samples, batch], at draws z of q, given binarized images."""
        posterior = self.posterior(targets)
        latents = draw(posterior, seed, [num_samples])
        flat = tf.reshape(latents, [-1, self.latent_size])
        parameters = self._parameters(flat)
        by_draw = tf.reshape(parameters, tf.concat([tf.shape(latents)[:2], tf.shape(parameters)[1:]], axis=0))
        likelihood = self.likelihood_layer.distribution(by_draw)
        return likelihood.log_prob(targets) + self.prior().log_prob(latents) - posterior.log_prob(latents)

    # The verbs.

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns reconstructions [batch, height, width, channels] in [0, 1], through the posterior's location."""
        posterior = self.posterior(images, training)
        return self._mean_image(self.posterior_layer.statistics(posterior)["loc"])

    def encode(self, images: np.ndarray) -> Encoding:
        """Returns the posterior's location and scale, float32 [batch, latent_size] each."""
        return Encoding(**self.run_in_batches("encode", image=check_images(images, self.image_shape)))

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Returns the mean images of latents [batch, latent_size], float32 in [0, 1].

        Raises:
            ZooError: The latents have another shape, or hold NaN.
        """
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != self.latent_size or not len(latents):
            raise ZooError(f"latents have shape {list(latents.shape)}, expected [batch, {self.latent_size}].")
        if not np.isfinite(latents).all():
            raise ZooError("latents hold values that are not finite.")
        return self.run_in_batches("decode", latent=latents)["image"]

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Returns what the model makes of images, through the posterior's location: float32 in [0, 1]."""
        return self.run_in_batches("reconstruct", image=check_images(images, self.image_shape))["reconstruction"]

    def _sample(self, n: int, seed: int) -> np.ndarray:
        latents = draw(self.prior(), seed, [n]).numpy()
        return self.run_in_batches("decode", latent=latents)["image"]

    def log_likelihood(
        self, images: np.ndarray, num_samples: int = 1000, seed: int = 0, verbose: bool = False
    ) -> LogLikelihood:
        """Estimates log p(x) by importance sampling from q(z|x), with Burda et al. (2016), equation 8.

        The estimate is a lower bound in expectation, which rises to log p(x) with the number of draws.
        Images are binarized once, with `seed`, where the likelihood binarizes at random.

        Args:
            images: [n, height, width, channels] in [0, 1].
            num_samples: Draws of z an image, k in the paper.
            seed: An integer; equal seeds give equal estimates.
            verbose: Whether to show a progress bar.

        Returns:
            The mean over images, its standard error and the value of each image, in nats.
        """
        images = check_images(images, self.image_shape)
        num_samples = check_count(num_samples, "num_samples")
        return importance_weighted(
            self.log_weights, self.likelihood_layer.targets, images, num_samples, check_seed(seed), verbose
        )

    # Export and serialization.

    def signatures(self) -> dict[str, Signature]:
        """Returns `encode`, `decode`, `reconstruct`, `sample` and `elbo`."""
        image, copy = image_tensor("image", self.image_shape), image_tensor("reconstruction", self.image_shape)
        latent = NamedTensor("latent", ("batch", self.latent_size), description="latent code")
        loc = NamedTensor("loc", ("batch", self.latent_size), description="location of the posterior")
        scale = NamedTensor("scale", ("batch", self.latent_size), "float32", (0.0, np.inf), "scale of the posterior")
        nats = tuple(
            NamedTensor(name, ("batch",), description=f"{text}, in nats")
            for name, text in (
                ("elbo", "lower bound on the log-likelihood"),
                ("reconstruction", "expected log-likelihood given the code"),
                ("kl", "divergence of the posterior from the prior"),
            )
        )
        return {
            signature.name: signature
            for signature in (
                Signature("encode", self._encode, (image,), (loc, scale), description="Image to code."),
                Signature("decode", self._decode, (latent,), (image,), description="Code to mean image."),
                Signature("reconstruct", self._reconstruct, (image,), (copy,), description="Image to mean image."),
                Signature(
                    "sample",
                    self._sample_tensors,
                    (SEED, COUNT),
                    (image_tensor("image", self.image_shape, "n"),),
                    description="New images.",
                ),
                Signature("elbo", self._elbo, (image, SEED), nats, description="Bound on the log-likelihood."),
            )
        }

    def _encode(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.posterior_layer.statistics(self.posterior(image))

    def _decode(self, latent: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": self._mean_image(latent)}

    def _reconstruct(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"reconstruction": self.call(image)}

    def _sample_tensors(self, seed: tf.Tensor, n: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": self._mean_image(draw(self.prior(), seed, tf.reshape(n, [1])))}

    def _elbo(self, image: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.elbo(image, seed)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        parts = {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "posterior": self.posterior_layer,
            "prior": self.prior_layer,
            "likelihood": self.likelihood_layer,
        }
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **serialized, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "VAE":
        """Builds a model from `get_config`."""
        parts = ("encoder", "decoder", "posterior", "prior", "likelihood")
        config = copy.deepcopy(config)  # Keras empties parts of what it deserializes
        built = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects) for name in parts
        }
        return cls(**{**config, **built})


def _known_shape(network: keras.Model, name: str, example: str, rank: int) -> tuple[int, ...]:
    """Returns the input shape of a network without the batch axis."""
    if not isinstance(network, keras.Model):
        raise ZooError(f"the {name} is a {type(network).__name__}, expected a keras.Model.")
    try:
        shape = tuple(network.input_shape[1:])
    except (AttributeError, ValueError):
        raise ZooError(f"the {name} does not know its input shape yet. Start it with {example}.") from None
    if len(shape) != rank or not all(isinstance(size, int) for size in shape):
        raise ZooError(f"the {name} takes inputs {list(shape)}, expected {rank} known sizes, as from {example}.")
    return shape


def _layer(choice: Any, known: dict[str, type], base: type, name: str, *arguments: Any) -> Any:
    """Returns the layer that a name stands for, or the layer itself."""
    if isinstance(choice, base):
        return choice
    if not isinstance(choice, str):
        raise ZooError(f"{name} is a {type(choice).__name__}, expected a name or a {base.__name__} layer.")
    if choice not in known:
        raise ZooError(f"unknown {name} '{choice}'. Known: {', '.join(known)}.{near_miss(choice, known)}")
    return known[choice](*arguments)
