"""A VAE with a hierarchy of latents, top-down (Sonderby et al. 2016; Kingma et al. 2016; Child 2021).

    p(z)   = p(z_1) p(z_2|z_1) ... p(z_L|z_<L)            z_1 at the coarsest resolution
    q(z|x) = q(z_1|x) q(z_2|z_1, x) ... q(z_L|z_<L, x)
    elbo   = E_q[log p(x|z)] - sum_l E_q[KL(q(z_l|z_<l, x) || p(z_l|z_<l))]

The encoder goes up once, from the image to features at every resolution. The levels go down, and the same ones
draw new images (from the priors) and explain given ones (from the posteriors).

Outside, z is one vector [batch, latent_size]: the latents of all levels, flattened and joined, z_1 first.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError
from zoo.metrics.likelihood import Weights
from zoo.model import VERB_BATCH
from zoo.sampling import draw
from zoo.vae.latent_variable import ARRAYS, LatentVariableModel
from zoo.vae.likelihoods import Likelihood
from zoo.vae.parts import copies
from zoo.vae.top_down import TopDownLevel
from zoo.validation import check_activation, check_count

# Maps (index of the level, state, prior there) to a latent [rows, height, width, channels].
Choice = Callable[[int, tf.Tensor, tfd.Distribution], tf.Tensor]


@keras.saving.register_keras_serializable(package="zoo")
class HierarchicalVAE(LatentVariableModel):
    """A VAE with two or more levels of latents.

    Args:
        encoder: Maps images [batch, height, width, channels] in [0, 1] to a list of features [batch, height,
            width, filters], the coarsest first, each up to twice as large as the one before it (or any size after
            one of 1x1), as `zoo.networks.residual_encoder` does.
        decoder: Maps the state, of the shape of the finest features, to the likelihood's parameters, as
            `zoo.networks.residual_decoder` does.
        latents: For each resolution, the channels of its levels: ((32,), (8, 8), (4,)) is a level at the coarsest
            resolution, two at the next and one at the finest.
        likelihood: As in `VAE`.
        blocks: Residual blocks a level.
        activation: Any Keras activation, of the levels.
        kl_warm_up: Steps over which the weight of the KL term rises from 0 to 1.
        free_bits: Nats a level that the KL is not pushed below.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The parts do not fit together, or an option is out of its range.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latents: Sequence[Sequence[int]],
        likelihood: str | Likelihood = "bernoulli",
        blocks: int = 1,
        activation: str = "elu",
        kl_warm_up: int = 0,
        free_bits: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        for name in ("prior", "posterior"):
            if name in kwargs:
                raise ZooError(
                    f"a HierarchicalVAE has a Normal {name} at each level, made of its networks: leave it out."
                )
        super().__init__(kl_warm_up=kl_warm_up, free_bits=free_bits, seed=seed, **kwargs)
        self._set_networks(encoder, decoder, likelihood, resolutions=True)
        self.latents = _checked_latents(latents)
        self.blocks, self.activation = check_count(blocks, "blocks", least=0), check_activation(activation)
        shapes = self._checked_shapes()
        self._resolutions = [index for index, counts in enumerate(self.latents) for _ in counts]
        self.levels = [
            TopDownLevel(count, blocks, activation, dtype=self.dtype_policy, name=f"level_{index}")
            for index, count in enumerate(count for counts in self.latents for count in counts)
        ]
        state_shape = shapes[0]
        self._first_state = self.add_weight(shape=state_shape[1:], initializer="zeros", name="first_state")
        for level, resolution in zip(self.levels, self._resolutions, strict=True):
            level.build(state_shape, shapes[resolution])
            level.built = True
            state_shape = level.state_shape
        self._sizes = [math.prod(level.latent_shape) for level in self.levels]
        self.latent_size = sum(self._sizes)
        self._build_layers(())
        self.built = True

    def _checked_shapes(self) -> list[tuple]:
        shapes = self.encoder.output_shape
        shapes = shapes if isinstance(shapes, list) else [shapes]  # Keras unpacks a list of one output
        if len(shapes) != len(self.latents):
            raise ZooError(
                f"the encoder gives features at {len(shapes)} resolutions, and latents name {len(self.latents)}: "
                "give one list of channels for each output of the encoder, the coarsest first."
            )
        if sum(map(len, self.latents)) < 2 or not all(self.latents):
            raise ZooError(f"latents are {self.latents}, expected two or more levels, and one or more a resolution.")
        if any(len(shape) != 4 or None in shape[1:] for shape in shapes):
            raise ZooError(f"the encoder gives {shapes}, expected features [batch, height, width, filters], all known.")
        if tuple(self.decoder.input_shape[1:]) != tuple(shapes[-1][1:]):
            raise ZooError(
                f"the decoder takes {list(self.decoder.input_shape[1:])}, but the finest features are "
                f"{list(shapes[-1][1:])}. Give both the same."
            )
        for above, below in itertools.pairwise(shapes):
            if above[1:3] != (1, 1) and any(not a <= b <= 2 * a for a, b in zip(above[1:3], below[1:3], strict=True)):
                raise ZooError(
                    f"features of {list(above[1:3])} are followed by ones of {list(below[1:3])}: each resolution is "
                    "as large as the one before it, or up to twice as large, or any after one of 1x1."
                )
        return [tuple(shape) for shape in shapes]

    # Down the hierarchy.

    def _features(self, images: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """Returns the encoder's features, the coarsest first."""
        features = self.encoder(images, training=training)
        return features if isinstance(features, list) else [features]

    def _descend(self, rows: tf.Tensor, choose: Choice) -> tf.Tensor:
        """Goes through the levels with the latents chosen, and returns the state below the last."""
        first = tf.convert_to_tensor(self._first_state)
        state = copies(first[None], rows)
        state = tf.cast(state, self.compute_dtype)
        for index, level in enumerate(self.levels):
            state, prior = level.read_prior(state)
            state = level.absorb(state, choose(index, state, prior))
        return state

    def _explain(
        self, features: list[tf.Tensor], pick: Callable[[int, tfd.Distribution], tf.Tensor]
    ) -> tuple[tf.Tensor, list[tuple[tf.Tensor, tfd.Distribution, tfd.Distribution]]]:
        """Goes down along the posteriors; returns the state, and each level's latent, posterior and prior."""
        path = []

        def choose(index: int, state: tf.Tensor, prior: tfd.Distribution) -> tf.Tensor:
            posterior = self.levels[index].posterior(state, features[self._resolutions[index]], prior)
            path.append((pick(index, posterior), posterior, prior))
            return path[-1][0]

        return self._descend(tf.shape(features[0])[0], choose), path

    # The bound.

    def terms(
        self, images: tf.Tensor, seed: random.Seed, training: bool = False, labels: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns log p(x|z) [batch] at one draw of z, and the KL by level [batch, levels]."""
        reconstruction, divergences = self._divergences(images, seed, training)
        return reconstruction, tf.stack([tf.reduce_sum(level, axis=[1, 2, 3]) for level in divergences], axis=-1)

    def _divergences(self, images: tf.Tensor, seed: random.Seed, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns log p(x|z) [batch] at one draw of z, and the KL of each latent of each level."""
        targets = self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0))
        features = self._features(targets, training)
        draws = random.fold_in(seed, 1)
        state, path = self._explain(features, lambda index, posterior: draw(posterior, random.fold_in(draws, index)))
        likelihood = self.likelihood_layer.distribution(self._parameters(state, training))
        kl = [tfd.kl_divergence(posterior.distribution, prior.distribution) for _, posterior, prior in path]
        return likelihood.log_prob(targets), kl

    def inspect(self, images: tf.Tensor, seed: random.Seed, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns what `zoo.vae.diagnose` reads; the shift of a level is that at the locations above it."""
        reconstruction, kl = self._divergences(images, seed, False)
        features = self._features(self.likelihood_layer.seen(images))
        _, path = self._explain(features, lambda _, posterior: posterior.distribution.loc)
        pairs = [(posterior.distribution, prior.distribution) for _, posterior, prior in path]
        return {
            "reconstruction": reconstruction,
            "kl": _joined(kl),
            "shift": _joined([(posterior.loc - prior.loc) / prior.scale for posterior, prior in pairs]),
        }

    @property
    def latent_groups(self) -> list[int]:
        """The sizes of the levels, which can collapse on their own."""
        return list(self._sizes)

    def weigher(self, targets: tf.Tensor, labels: tf.Tensor | None = None) -> Weights:
        """Returns a function from a number of draws and a seed to log p(x, z) - log q(z|x), [draws, batch]."""
        features = self._features(targets)

        def log_weights(num_samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            repeated = [copies(values, num_samples) for values in features]
            state, path = self._explain(repeated, lambda index, posterior: draw(posterior, random.fold_in(seed, index)))
            likelihood = self.likelihood_layer.distribution(self._parameters(state))
            weights = likelihood.log_prob(copies(targets, num_samples))
            for latent, posterior, prior in path:
                weights += prior.log_prob(latent) - posterior.log_prob(latent)
            return tf.reshape(weights, [num_samples, -1])

        return log_weights

    @property
    def _values_per_image(self) -> int:
        """Counts the features and the states of all levels too, which are there at once."""
        features = self.encoder.output_shape
        shapes = features if isinstance(features, list) else [features]
        shapes = [*shapes, *(level.state_shape for level in self.levels)]
        return max(super()._values_per_image, ARRAYS * sum(math.prod(shape[1:]) for shape in shapes))

    # Codes.

    def code(self, images: tf.Tensor, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns "loc" and "scale" [batch, latent_size] of the posteriors, each given the locations above it."""
        _, path = self._explain(self._features(images), lambda _, posterior: posterior.distribution.loc)
        posteriors = [posterior.distribution for _, posterior, _ in path]
        return {
            "loc": _joined([posterior.loc for posterior in posteriors]),
            "scale": _joined([posterior.scale for posterior in posteriors]),
        }

    def draw_latents(
        self, n: random.Seed, seed: random.Seed, temperature: float | tf.Tensor = 1.0, first: random.Seed = 0
    ) -> tf.Tensor:
        """Draws latents [n, latent_size] from the priors, down the hierarchy: rows `first` and on."""
        return self._latents_of(self._noise(n, seed, first), temperature)

    def _noise(self, n: random.Seed, seed: random.Seed, first: random.Seed = 0) -> list[tf.Tensor]:
        """Returns what draws are made of, one [n, height, width, channels] a level."""
        rows = tf.reshape(tf.cast(n, tf.int32), [1])
        shapes = [level.latent_shape for level in self.levels]
        drawn = [
            random.normal(tf.concat([rows, shape], axis=0), random.fold_in(seed, index), first=first)
            for index, shape in enumerate(shapes)
        ]
        return [tf.ensure_shape(noise, [None, *shape]) for noise, shape in zip(drawn, shapes, strict=True)]

    def _latents_of(self, noise: list[tf.Tensor], temperature: float | tf.Tensor) -> tf.Tensor:
        drawn = []

        def choose(index: int, _: tf.Tensor, prior: tfd.Distribution) -> tf.Tensor:
            base = prior.distribution
            drawn.append(base.loc + base.scale * temperature * noise[index])
            return drawn[-1]

        self._descend(tf.shape(noise[0])[0], choose)
        return _joined(drawn)

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        noise = self._noise(n, seed)
        parts = [
            self._latents_of([each[start : start + VERB_BATCH] for each in noise], temperature).numpy()
            for start in range(0, n, VERB_BATCH)
        ]
        return self.run_in_batches("decode", latent=np.concatenate(parts), **labels)["image"]

    def mean_image(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the mean images of latents [batch, latent_size], in [0, 1]."""
        parts = tf.split(latents, self._sizes, axis=-1)
        shaped = [tf.reshape(part, [-1, *level.latent_shape]) for part, level in zip(parts, self.levels, strict=True)]
        state = self._descend(tf.shape(latents)[0], lambda index, *_: shaped[index])
        return self.likelihood_layer.mean(self._parameters(state))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        options = {"latents": self.latents, "blocks": self.blocks, "activation": self.activation}
        return {**super().get_config(), **options}


def _checked_latents(latents: Any) -> list[list[int]]:
    if not isinstance(latents, list | tuple) or not all(isinstance(counts, list | tuple) for counts in latents):
        raise ZooError(f"latents are {latents!r}, expected a list of channels a resolution, such as ((32,), (8, 8)).")
    return [[check_count(count, "a level's channels") for count in counts] for counts in latents]


def _joined(values: list[tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(value, [-1, value.shape[1:].num_elements()]) for value in values], axis=-1)
