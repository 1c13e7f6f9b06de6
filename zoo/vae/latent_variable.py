"""The base of the models with latents z and a bound on log p(x): their verbs, signatures and training objective.

    log p(x) >= elbo(x) = E_q[log p(x|z)] - KL(q(z|x) || p(z))

Shapes: x is [batch, height, width, channels], z is [batch, latent_size], labels are int64 [batch] (conditional
models only). All values are in nats an image: summed over pixels and latent dimensions.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from zoo import random
from zoo.callbacks import with_callback
from zoo.metrics.likelihood import LogLikelihood, Weights, importance_weighted
from zoo.networks.inputs import widest
from zoo.signature import COUNT, FIRST, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor, label_tensor
from zoo.vae.collapse import PosteriorCollapseWarning
from zoo.vae.tensors import nats
from zoo.vae.vector_latents import VectorLatents
from zoo.validation import check_count, check_positive, check_seed

ARRAYS = 4  # in memory at once, of the size of what a decoder or a level gives


class Encoding(NamedTuple):
    """What `encode` returns: the posterior's location and scale, float32 [batch, latent_size]."""

    loc: np.ndarray
    scale: np.ndarray


class LatentVariableModel(VectorLatents):
    """A model with latents. A family implements `terms`, `weigher`, `code`, `draw_latents` and `mean_image`.

    Args:
        kl_warm_up: Batches over which the weight of the KL term rises from 0 to 1 (Bowman et al. 2016). They are
            counted in a weight, so that neither `compile` nor saving starts them anew.
        free_bits: Nats below which the KL of a group of latents, averaged over the batch (of a replica, with
            `tf.distribute`), is not pushed further down (Kingma et al. 2016, equation 16). A group is a latent
            dimension where the KL is known for each, a level of a hierarchy, or all latents.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: An option is negative.
    """

    objective_names = ("loss", "elbo", "reconstruction", "kl")
    collapse_remedies = "kl_warm_up (steps), free_bits (nats), or a weaker decoder"

    def __init__(self, kl_warm_up: int = 0, free_bits: float = 0.0, seed: int | None = None, **kwargs: Any):
        super().__init__(seed=seed, **kwargs)
        self.kl_warm_up = check_count(kl_warm_up, "kl_warm_up", least=0)
        self.free_bits = check_positive(free_bits, "free_bits", or_zero=True)
        self._batches = None
        if self.kl_warm_up:
            self._count_batches()

    def _count_batches(self) -> None:
        """Makes a weight that counts the batches trained on, for what changes with them."""
        if self._batches is None:
            options = {"dtype": "int64", "trainable": False, "aggregation": "only_first_replica"}
            self._batches = self.add_weight(name="batches", shape=(), initializer="zeros", **options)

    def count_params(self) -> int:
        """Returns the number of parameters, without the count of batches."""
        return super().count_params() - (self._batches is not None)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes one optimizer step on a batch, and counts it."""
        reported = super().train_step(data)
        if self._batches is not None:
            self._batches.assign_add(1)
        return reported

    # What a family implements.

    def terms(
        self, images: tf.Tensor, seed: random.Seed, training: bool = False, labels: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns log p(x|z) [batch] at one draw of z, and the KL in groups of latents [batch, groups]."""
        raise NotImplementedError

    def weigher(self, targets: tf.Tensor, labels: tf.Tensor | None = None) -> Weights:
        """Returns a function from a number of draws and a seed to log p(x, z) - log q(z|x), [draws, batch].

        The draws z are those of q; `targets` are what is scored.
        """
        raise NotImplementedError

    def code(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns "loc" and "scale" of the posterior, [batch, latent_size] each."""
        raise NotImplementedError

    def inspect(self, images: tf.Tensor, seed: random.Seed, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns what `zoo.vae.diagnose` reads, for images [batch, height, width, channels] in [0, 1].

        Returns:
            "reconstruction", log p(x|z) [batch] at one draw of z; "kl" [batch, groups], by latent where it is known;
            "shift" [batch, latent_size], the posterior's location; in a hierarchy less the prior's, in units of the
            prior's scale.
        """
        reconstruction, kl = self.terms(images, seed, labels=labels)
        shift = self.code(self.likelihood_layer.seen(images), labels)["loc"]
        return {"reconstruction": reconstruction, "kl": kl, "shift": shift}

    @property
    def latent_groups(self) -> list[int]:
        """The sizes of the parts of a latent that can collapse on their own: levels, or all of it."""
        return [self.latent_size]

    def draw_latents(
        self, n: random.Seed, seed: random.Seed, temperature: float | tf.Tensor = 1.0, first: random.Seed = 0
    ) -> tf.Tensor:
        """Draws latents [n, latent_size] from the prior: rows `first`, a multiple of 4, and on of those of a seed."""
        raise NotImplementedError

    def mean_image(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the mean images of latents, in [0, 1]."""
        raise NotImplementedError

    # The bound.

    def elbo(
        self, images: tf.Tensor, seed: random.Seed, training: bool = False, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the bound and its terms, estimated with one draw of z an image.

        Args:
            images: [batch, height, width, channels] in [0, 1].
            seed: An integer; decides the draw of z, and of x where the likelihood binarizes at random.
            training: As in Keras.
            labels: int64 [batch], for conditional models.

        Returns:
            "elbo" = "reconstruction" - "kl", each [batch], in nats.
        """
        return _bound(*self.terms(images, seed, training, labels))

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss and the terms of the bound, each [batch], in nats."""
        reconstruction, kl = self.terms(images, seed, training, labels)
        return {"loss": self.kl_penalty(kl, training) - reconstruction, **_bound(reconstruction, kl)}

    def kl_penalty(self, kl: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns what the loss holds of the KL, [batch], given it in groups [batch, groups]."""
        if not training:
            return tf.reduce_sum(kl, axis=-1)
        if self.free_bits:
            kl = tf.maximum(tf.reduce_mean(kl, axis=0, keepdims=True), self.free_bits) + tf.zeros_like(kl)
        return self._warm_up() * tf.reduce_sum(kl, axis=-1)

    @property
    def averages_over(self) -> str | None:
        """Free bits, where there are any."""
        return "free_bits" if self.free_bits else None

    def _warm_up(self) -> tf.Tensor:
        return self._share_of(self.kl_warm_up) if self.kl_warm_up else tf.ones([])

    def _share_of(self, batches: int) -> tf.Tensor:
        """Returns how far training is on its way through so many batches, from 0 to 1."""
        return tf.minimum(tf.cast(tf.convert_to_tensor(self._batches), tf.float32) / batches, 1.0)

    # The verbs.

    def call(self, images: tf.Tensor, training: bool = False, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns reconstructions [batch, height, width, channels] in [0, 1], through the posterior's location."""
        return self.mean_image(self._encode(images, labels)["loc"], labels)

    def encode(self, images: np.ndarray, labels: np.ndarray | None = None) -> Encoding:
        """Returns the posterior's location and scale, float32 [batch, latent_size] each.

        Raises:
            ZooError: The images or labels are not as described.
        """
        return Encoding(**self.run_in_batches("encode", **self.checked_batch(images, labels)))

    def location(self, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns the posterior's location, float32 [batch, latent_size]."""
        return self.encode(images, labels).loc

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        latents = self.draw_latents(n, seed, temperature).numpy()
        return self.run_in_batches("decode", latent=latents, **labels)["image"]

    def log_likelihood(
        self,
        images: np.ndarray,
        num_samples: int = 1000,
        seed: int = 0,
        verbose: bool = False,
        labels: np.ndarray | None = None,
    ) -> LogLikelihood:
        """Estimates log p(x) by importance sampling from q(z|x), with Burda et al. (2016), equation 8.

        The estimate is a lower bound in expectation, which rises to log p(x) with the number of draws.
        Images are binarized once, with `seed`, where the likelihood binarizes at random.

        Args:
            images: [n, height, width, channels] in [0, 1].
            num_samples: Draws of z an image, k in the paper.
            seed: An integer; equal seeds give equal estimates.
            verbose: Whether to show a progress bar.
            labels: int [n], for conditional models, which give log p(x|label).

        Returns:
            The mean over images, its standard error and the value of each image, in nats.

        Raises:
            ZooError: The images or labels are not as described, or the likelihood is not one of such pixels.
        """
        batch = self.checked_batch(images, labels)
        self.likelihood_layer.check(batch["image"])
        num_samples = check_count(num_samples, "num_samples")
        return importance_weighted(
            self.weigher,
            self.likelihood_layer.targets,
            batch["image"],
            num_samples,
            check_seed(seed),
            verbose,
            batch.get("label"),
            self._values_per_image,
        )

    @property
    def _values_per_image(self) -> int:
        """Numbers in memory for a decoded image."""
        return max(ARRAYS * math.prod(self.decoder.output_shape[1:]), widest(self.decoder))

    # Checks.

    def fit(self, *arguments: Any, callbacks: Any = None, **kwargs: Any) -> Any:
        """Trains like `keras.Model.fit`; warns when the posterior collapses. See `GenerativeModel.fit`."""
        return super().fit(
            *arguments, callbacks=with_callback(PosteriorCollapseWarning(self.collapse_remedies), callbacks), **kwargs
        )

    # Export.

    def signatures(self) -> dict[str, Signature]:
        """Returns `encode`, `decode`, `reconstruct`, `sample` and `elbo`; with labels where the model takes them."""
        image, copy = image_tensor("image", self.image_shape), image_tensor("reconstruction", self.image_shape)
        latent = NamedTensor("latent", ("batch", self.latent_size), description="latent code")
        loc = NamedTensor("loc", ("batch", self.latent_size), description="location of the posterior")
        scale = NamedTensor("scale", ("batch", self.latent_size), "float32", (0.0, np.inf), "scale of the posterior")
        terms = nats(
            elbo="lower bound on the log-likelihood",
            reconstruction="expected log-likelihood given the code",
            kl="divergence of the posterior from the prior",
        )
        label, count = (), (COUNT,)
        if self.num_classes is not None:
            label, count = (label_tensor(self.num_classes),), (label_tensor(self.num_classes, "n"),)
        drawn = (image_tensor("image", self.image_shape, "n"),)
        return {
            signature.name: self._guarded(signature)
            for signature in (
                Signature("encode", self._encode, (image, *label), (loc, scale), description="Image to code."),
                Signature("decode", self._decode, (latent, *label), (image,), description="Code to mean image."),
                Signature(
                    "reconstruct", self._reconstruct, (image, *label), (copy,), description="Image to mean image."
                ),
                Signature("sample", self._sample, (SEED, *count, TEMPERATURE, FIRST), drawn, description="New images."),
                Signature("elbo", self._elbo, (image, SEED, *label), terms, description="Bound on the log-likelihood."),
            )
        }

    def _encode(self, image: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return self.code(self.likelihood_layer.seen(image), label)

    def _decode(self, latent: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return {"image": self.mean_image(latent, label)}

    def _reconstruct(self, image: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return {"reconstruction": self.call(image, labels=label)}

    def _sample(
        self,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        first: tf.Tensor,
        n: tf.Tensor | None = None,
        label: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        count = n if label is None else tf.shape(label)[0]
        assert count is not None  # one of the two is an input of every model
        return {"image": self.mean_image(self.draw_latents(count, seed, temperature, first), label)}

    def _elbo(self, image: tf.Tensor, seed: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return self.elbo(image, seed, labels=label)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor that all have, serialized."""
        return {**super().get_config(), "kl_warm_up": self.kl_warm_up, "free_bits": self.free_bits}


def _bound(reconstruction: tf.Tensor, kl: tf.Tensor) -> dict[str, tf.Tensor]:
    total = tf.reduce_sum(kl, axis=-1)
    return {"elbo": reconstruction - total, "reconstruction": reconstruction, "kl": total}
