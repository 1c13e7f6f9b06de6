"""The restricted Boltzmann machine of binary pixels v and binary hidden units h (Smolensky 1986; Hinton 2002).

    E(v, h) = -b.v - c.h - v W h
    F(v)    = -b.v - sum_j softplus(c_j + (v W)_j)        p(v) proportional to exp(-F(v))

Trained by contrastive divergence (Hinton 2002): the gradient of F(data) - F(samples), with samples k steps of block
Gibbs sampling away from the data (CD-k), or from where persistent chains were (Tieleman 2008). The difference is no
bound of anything: watch samples, and the likelihood by `log_likelihood`.

Shapes: images are [batch, height, width, channels] in [0, 1], binarized anew each time they are seen, with their
intensity as the probability of 1; v is [batch, pixels], h is [batch, hidden_units].
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.ebm.partition import LogPartition, annealed_importance_sampling
from zoo.ebm.rbm_path import RBMPath, drawn
from zoo.ebm.restoration import checked_mask, completed, mask_tensor, restored_in_batches
from zoo.errors import ZooError
from zoo.metrics.likelihood import LogLikelihood
from zoo.model import VERB_BATCH, GenerativeModel
from zoo.random import Seed
from zoo.signature import COUNT, FIRST, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor
from zoo.validation import check_count, check_seed, check_sizes

STEPS = NamedTensor("steps", (), "int64", (1, 10**6), "steps of the chain", examples=(2, 20), default=1000)
_BINARIZE, _HIDDEN, _VISIBLE, _CHAIN, _START = range(5)  # purposes of noise


@keras.saving.register_keras_serializable(package="zoo")
class RBM(GenerativeModel):
    """A restricted Boltzmann machine.

    Args:
        image_shape: Height, width and channels.
        hidden_units: How many.
        gibbs_steps: k, steps of the chains for each of the optimizer.
        persistent_chains: How many chains go on from step to step; 0 for chains that start at the data each time.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: A number is out of its range.

    Example:
        >>> model = zoo.RBM((28, 28, 1), hidden_units=500)
        >>> model.adapt(images)
        >>> model.compile(keras.optimizers.SGD(0.05))
        >>> model.fit(images, epochs=20, batch_size=100)
        >>> model.sample(64, seed=0, steps=1000)
    """

    objective_names = ("loss", "free_energy", "reconstruction_error")
    likelihood_estimator = "estimate by annealed importance sampling (Salakhutdinov and Murray 2008)"
    describes = "binary images, each pixel drawn with its intensity as the probability"  # what it is the likelihood of
    discrete = True
    draws_are = "temperature"

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden_units: int = 500,
        gibbs_steps: int = 1,
        persistent_chains: int = 100,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        height, width, channels = check_sizes(image_shape, "image_shape", 3)
        self._image_shape = (height, width, channels)
        self.hidden_units = check_count(hidden_units, "hidden_units")
        self.gibbs_steps = check_count(gibbs_steps, "gibbs_steps")
        self.persistent_chains = check_count(persistent_chains, "persistent_chains", least=0)
        pixels = math.prod(self._image_shape)
        add = functools.partial(self.add_weight, autocast=False)  # float32, whatever the dtype policy
        self.weights_matrix = add((pixels, hidden_units), keras.initializers.RandomNormal(stddev=0.01), name="weights")
        self.visible_bias = add((pixels,), "zeros", name="visible_bias")
        self.hidden_bias = add((hidden_units,), "zeros", name="hidden_bias")
        self.chains = None
        if self.persistent_chains:
            shape = (self.persistent_chains, pixels)
            self.chains = add(shape, keras.initializers.RandomUniform(0, 1), trainable=False, name="chains")
            self.chains.assign(tf.round(self.chains))
        self.built = True

    @property
    def averages_over(self) -> str | None:
        """The chains that start at the data: they are those of all images, whatever these weigh."""
        return None if self.persistent_chains else "the chains, which start at them,"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

    def adapt(self, images: np.ndarray) -> None:
        """Sets the visible biases to the log-odds of the mean pixels, where training had better start (Hinton 2012).

        Raises:
            ZooError: The images are not as in `fit`.
        """
        means = self._checked_images(images, "images").mean(axis=0).reshape(-1)
        means = np.clip(means, 1 / (2 + len(images)), 1 - 1 / (2 + len(images)))
        self.visible_bias.assign(np.log(means / (1 - means)))

    # The distribution.

    def free_energy(self, visible: tf.Tensor) -> tf.Tensor:
        """Returns F of binary pixels [batch, pixels], in nats, [batch]."""
        inputs = tf.matmul(visible, self.weights_matrix) + self.hidden_bias
        return -tf.linalg.matvec(visible, self.visible_bias) - tf.reduce_sum(tf.math.softplus(inputs), axis=-1)

    def hidden_probabilities(self, visible: tf.Tensor) -> tf.Tensor:
        """Returns p(h = 1 | v), [batch, hidden_units]."""
        return tf.sigmoid(tf.matmul(visible, self.weights_matrix) + self.hidden_bias)

    def visible_probabilities(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns p(v = 1 | h), [batch, pixels]."""
        return tf.sigmoid(tf.matmul(hidden, self.weights_matrix, transpose_b=True) + self.visible_bias)

    def gibbs_step(
        self, visible: tf.Tensor, seed: Seed, temperature: float | tf.Tensor = 1.0, first: Seed = 0
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes one step of block Gibbs sampling: all h given v, and all v given these.

        Args:
            visible: Binary pixels [batch, pixels].
            seed: Decides the noise.
            temperature: The energy is divided by it.
            first: The number of the first row, for rows that come in batches.

        Returns:
            Binary pixels, and the probabilities p(v = 1 | h) that they were drawn with, both [batch, pixels].
        """
        inputs = tf.matmul(visible, self.weights_matrix) + self.hidden_bias
        hidden = drawn(tf.sigmoid(inputs / temperature), random.fold_in(seed, _HIDDEN), first)
        logits = tf.matmul(hidden, self.weights_matrix, transpose_b=True) + self.visible_bias
        means = tf.sigmoid(logits / temperature)
        return drawn(means, random.fold_in(seed, _VISIBLE), first), means

    # Training.

    def objective(
        self, images: tf.Tensor, seed: Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns F(data) - F(samples) as "loss", F(data), and how many pixels one step changes, each [batch]."""
        visible = self.binarized(images, random.fold_in(seed, _BINARIZE))
        kept = self.chains if training else None
        if kept is not None and tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ZooError(
                "the persistent chains are those of one model, and replicas would each move them: train on one device, "
                "or with persistent_chains=0."
            )
        start = visible if kept is None else tf.convert_to_tensor(kept)
        chains, _ = self._moved(start, self.gibbs_steps, random.fold_in(seed, _CHAIN))
        if kept is not None:
            kept.assign(chains)
        energy = self.free_energy(visible)
        # As many chains as images, or any other number: it is the mean that counts.
        sampled = tf.reduce_mean(self.free_energy(tf.stop_gradient(chains)))
        again = self.visible_probabilities(self.hidden_probabilities(visible))
        error = tf.reduce_sum(tf.square(visible - again), axis=-1)
        return {"loss": energy - sampled, "free_energy": energy, "reconstruction_error": error}

    def binarized(self, images: tf.Tensor, seed: Seed, first: Seed = 0) -> tf.Tensor:
        """Returns binary pixels [batch, pixels], each 1 with its intensity as the probability; rows from `first` on."""
        flat = tf.reshape(tf.cast(images, tf.float32), [-1, math.prod(self.image_shape)])
        return drawn(flat, seed, first)

    def _moved(
        self,
        visible: tf.Tensor,
        steps: Any,
        seed: Seed,
        *options: Any,
        after: Callable[[tf.Tensor], tf.Tensor] = lambda visible: visible,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns pixels after so many steps, each followed by `after`, and their probabilities at the last."""

        def step(index: tf.Tensor, visible: tf.Tensor, _: tf.Tensor) -> tuple:
            visible, means = self.gibbs_step(visible, random.fold_in(seed, index), *options)
            return index + 1, after(visible), means

        steps = tf.cast(steps, tf.int64)
        return tf.while_loop(lambda index, *_: index < steps, step, (tf.zeros([], tf.int64), visible, visible))[1:]

    # The verbs.

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        """Returns mean images one step from images in [0, 1]: sigmoid(b + W sigmoid(c + v W))."""
        visible = tf.reshape(tf.cast(images, tf.float32), [-1, math.prod(self.image_shape)])
        means = self.visible_probabilities(self.hidden_probabilities(visible))
        return tf.reshape(means, [-1, *self.image_shape])

    def energy(self, images: np.ndarray) -> np.ndarray:
        """Returns the free energy F of images in [0, 1], in nats, float32 [batch]. It is meant for binary ones.

        Raises:
            ZooError: The images are not as in `fit`.
        """
        return self.run_in_batches("energy", image=self._checked_images(images, "images"))["energy"]

    def anomaly_score(self, images: np.ndarray) -> np.ndarray:
        """Returns how unlike the training images each is, float32 [batch]: its energy."""
        return self.energy(images)

    def sample(
        self, n: int, seed: int = 0, label: Any = None, temperature: float = 1.0, steps: int | None = None
    ) -> np.ndarray:
        """Draws images by block Gibbs sampling from pixels drawn with the visible biases.

        Args:
            n: How many.
            seed: An integer in [0, 2**63).
            label: None.
            temperature: From 1e-6 to 1e6: the energy is divided by it.
            steps: Of each chain, by default 1,000. Fewer leave samples near to where chains start.

        Returns:
            float32 [n, height, width, channels]: the probabilities of the last step, not drawn pixels.

        Raises:
            ZooError: An argument is out of its range.
        """
        taken = int(STEPS.checked(STEPS.default if steps is None else steps, "sample"))
        n, seed, temperature, _ = self._checked_request(n, seed, label, temperature)
        how, parts = (tf.constant(temperature), tf.constant(taken, tf.int64)), []
        for first in range(0, n, VERB_BATCH):
            rows = tf.constant(seed, tf.int64), tf.constant(min(VERB_BATCH, n - first))
            parts.append(self._chain(*rows, *how, tf.constant(first, tf.int64)).numpy())
        return np.concatenate(parts)

    def restore(
        self,
        images: np.ndarray,
        mask: np.ndarray,
        seed: int = 0,
        temperature: float = 1.0,
        steps: int | None = None,
    ) -> np.ndarray:
        """Completes images, by block Gibbs sampling of the pixels that are not known.

        Args:
            images: What was seen, [batch, height, width, channels] in [0, 1].
            mask: 1 where a pixel is known and 0 where not, [batch, height, width, 1].
            seed: Decides the noise.
            temperature: From 1e-6 to 1e6: the energy is divided by it.
            steps: Of each chain, by default 1,000.

        Returns:
            float32 [batch, height, width, channels]: known pixels as they were seen, and of others the probabilities
            of the last step.

        Raises:
            ZooError: An argument is not as described.
        """
        images = self._checked_images(images, "images")
        known = checked_mask(mask, images)
        how = (
            tf.constant(check_seed(seed), tf.int64),
            TEMPERATURE.checked(temperature, "restore"),
            STEPS.checked(STEPS.default if steps is None else steps, "restore"),
        )
        return restored_in_batches(self._restorer, images, known, *map(tf.constant, how))

    @functools.cached_property
    def _restorer(self) -> Any:
        return tf.function(self._restored, autograph=False)

    def _restored(
        self,
        images: tf.Tensor,
        mask: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        first: tf.Tensor,
    ) -> tf.Tensor:
        """Returns rows `first` and on of restored images."""
        flat = [-1, math.prod(self.image_shape)]
        known = tf.reshape(mask * tf.ones_like(images), flat)
        seen = self.binarized(images, random.fold_in(seed, _BINARIZE), first)
        start = self.binarized(tf.zeros_like(images) + self._mean_image(), random.fold_in(seed, _START), first)

        def clamped(visible: tf.Tensor) -> tf.Tensor:
            return completed(seen, known, visible)

        seed = random.fold_in(seed, _CHAIN)
        _, means = self._moved(clamped(start), steps, seed, temperature, first, after=clamped)
        return completed(images, mask, tf.reshape(means, [-1, *self.image_shape]))

    def _mean_image(self) -> tf.Tensor:
        """Returns the probabilities that chains start with, [height, width, channels]."""
        return tf.reshape(tf.sigmoid(self.visible_bias), self.image_shape)

    @functools.cached_property
    def _chain(self) -> Any:
        return tf.function(self._images_of_chain, autograph=False)

    def _images_of_chain(
        self, seed: tf.Tensor, n: tf.Tensor, temperature: tf.Tensor, steps: tf.Tensor, first: Seed = 0
    ) -> tf.Tensor:
        """Returns rows `first` to `first + n` of the images of a seed."""
        pixels = math.prod(self.image_shape)
        start = tf.tile(tf.sigmoid(self.visible_bias)[None], tf.stack([tf.cast(n, tf.int32), 1]))
        visible = drawn(tf.ensure_shape(start, [None, pixels]), random.fold_in(seed, _BINARIZE), first)
        _, means = self._moved(visible, steps, random.fold_in(seed, _CHAIN), temperature, first)
        return tf.reshape(means, [-1, *self.image_shape])

    # The likelihood.

    def log_partition(
        self, temperatures: int = 10_000, chains: int = 100, seed: int = 0, verbose: bool = False
    ) -> LogPartition:
        """Estimates log Z by annealed importance sampling from both directions, along `RBMPath`.

        Runs from behind start where `sample` ends; the upper bound holds as far as these are draws of the model.

        Args:
            temperatures: Steps from the visible biases alone to the model.
            chains: Runs each way.
            seed: Decides the noise.
            verbose: Whether to show a progress bar.

        Raises:
            ZooError: An argument is out of its range.
        """
        images = self.sample(check_count(chains, "chains", 2), seed=seed)
        ends = self.binarized(tf.constant(images), random.fold_in(seed, _CHAIN))
        return annealed_importance_sampling(RBMPath(self), temperatures, chains, seed, ends, verbose)

    def log_likelihood(
        self,
        images: np.ndarray,
        num_samples: int = 10_000,
        seed: int = 0,
        verbose: bool = False,
        chains: int = 100,
    ) -> LogLikelihood:
        """Estimates log p(v) = -F(v) - log Z of images, binarized once with `seed`.

        Args:
            images: [n, height, width, channels] in [0, 1].
            num_samples: Temperatures of annealed importance sampling.
            seed: Decides the noise.
            verbose: Whether to show a progress bar.
            chains: Runs of annealed importance sampling.

        Returns:
            The mean over images, its standard error, in which the error of log Z has its part, the value of each
            image, and the bounds of the mean by those of log Z, in nats. Where the runs carry too little of log Z the
            likelihood is overestimated; see `log_partition`.

        Raises:
            ZooError: An argument is not as described.
        """
        images = self._checked_images(images, "images")
        if len(images) < 2:
            raise ZooError("a standard error needs at least 2 images.")
        partition = self.log_partition(num_samples, chains, seed, verbose)
        visible = self.binarized(tf.constant(images), random.fold_in(seed, _BINARIZE))
        values = -self.free_energy(visible).numpy().astype(np.float64) - partition.value
        error = math.hypot(values.std(ddof=1) / math.sqrt(len(values)), partition.standard_error)
        above = math.inf if partition.upper_bound is None else partition.upper_bound
        lower, upper = (float(values.mean()) + partition.value - edge for edge in (above, partition.lower_bound))
        return LogLikelihood(float(values.mean()), error, values, (lower, upper))

    # Export and serialization.

    def signatures(self) -> dict[str, Signature]:
        """Returns `energy`, `reconstruct`, `sample` and `restore`."""
        image, copy = image_tensor("image", self.image_shape), image_tensor("reconstruction", self.image_shape)
        drawn, restored = image_tensor("image", self.image_shape, "n"), image_tensor("restored", self.image_shape)
        known = mask_tensor(self.image_shape)
        energy = NamedTensor("energy", ("batch",), description="free energy in nats")
        signatures = (
            Signature("energy", self._energy, (image,), (energy,), description="How unlikely an image is."),
            Signature("reconstruct", self._reconstruct, (image,), (copy,), description="Mean image of a step."),
            Signature(
                "sample", self._sample, (SEED, COUNT, TEMPERATURE, STEPS, FIRST), (drawn,), description="New images."
            ),
            Signature(
                "restore",
                self._restore,
                (image, known, SEED, TEMPERATURE, STEPS, FIRST),
                (restored,),
                description="What is likely, given what was seen.",
            ),
        )
        return {signature.name: signature for signature in signatures}

    def _energy(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"energy": self.free_energy(tf.reshape(image, [-1, math.prod(self.image_shape)]))}

    def _reconstruct(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"reconstruction": self.call(image)}

    def _sample(
        self, seed: tf.Tensor, n: tf.Tensor, temperature: tf.Tensor, steps: tf.Tensor, first: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {"image": self._images_of_chain(seed, n, temperature, steps, first)}

    def _restore(self, image: tf.Tensor, mask: tf.Tensor, **how: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"restored": self._restored(image, mask, **how)}

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("image_shape", "hidden_units", "gibbs_steps", "persistent_chains", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
