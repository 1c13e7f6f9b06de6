"""The energy-based model: p(x) proportional to exp(-E(x)), with E any network (LeCun et al. 2006).

    E(x)            energy, low for images that are likely
    -grad E(x)      score, the direction in which they grow more likely
    x' = x - h grad E(x) + sqrt(2 h T) e        a step of Langevin dynamics, by which images are drawn

The constant of p is not known: energies of one model compare images, and those of two models compare nothing.

Shapes: x is [batch, height, width, channels], in [0, 1] at every public method; energies are [batch], in nats.
"""

import copy
import functools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import Self

from zoo import random
from zoo.ebm.energies import energy_and_gradient
from zoo.ebm.objectives import OBJECTIVES, Objective
from zoo.ebm.samplers import GradientDescent, Nesterov, UnadjustedLangevin
from zoo.ebm.samplers.base import Sampler
from zoo.errors import ZooError, a_kind
from zoo.model import VERB_BATCH, GenerativeModel
from zoo.networks.inputs import check_takes_one, known_output, known_shape
from zoo.random import Seed
from zoo.signature import COUNT, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor
from zoo.validation import check_choice, check_count, check_positive

_START, _CHAIN = 0, 1  # purposes of noise
_SAMPLERS = (UnadjustedLangevin, GradientDescent, Nesterov)


@keras.saving.register_keras_serializable(package="zoo")
class EBM(GenerativeModel):
    """An energy-based model from any Keras network.

    Args:
        energy: Maps images [batch, height, width, channels], in [0, 1] and a little beyond, to energies [batch, 1] or
            [batch]. No final activation; smooth ones inside, and no batch statistics, since chains follow its gradient.
        objective: "contrastive_divergence", "persistent_contrastive_divergence", or one of `zoo.ebm.objectives`.
        sampler: What chains are run with, in training and by `sample`: `UnadjustedLangevin`, `GradientDescent` or
            `Nesterov` of `zoo.ebm.samplers`; by default Langevin dynamics with steps of 1e-4 at a temperature of 1, in
            [0, 1].
        sample_steps: How many steps `sample` takes where it is not told.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The network gives no energies, or an argument is not as described.

    Example:
        >>> model = zoo.EBM(networks.conv_energy((28, 28, 1)))
        >>> model.compile(keras.optimizers.Adam(1e-4))
        >>> model.fit(images, epochs=20)
        >>> model.sample(64, seed=0, steps=1000)
    """

    def __init__(
        self,
        energy: keras.Model,
        objective: str | Objective = "persistent_contrastive_divergence",
        sampler: Sampler | None = None,
        sample_steps: int = 200,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self.network = energy
        if isinstance(objective, str):
            objective = OBJECTIVES[check_choice(objective, OBJECTIVES, "objective")]()
        if not isinstance(objective, Objective):
            raise ZooError(f"objective is {a_kind(objective)}, expected one of zoo.ebm.objectives or its name.")
        self.objective_layer = objective
        self.sampler = UnadjustedLangevin(1e-4, bounds=(0.0, 1.0)) if sampler is None else sampler
        if not isinstance(self.sampler, _SAMPLERS):
            known = ", ".join(each.__name__ for each in _SAMPLERS)
            raise ZooError(
                f"sampler is {a_kind(self.sampler)}, expected one of {known}: others cannot be exported. Run them on "
                "model.energy_of with zoo.ebm.run_chains."
            )
        self.sample_steps = check_count(sample_steps, "sample_steps")
        check_takes_one(self.network, "energy", type(self).__name__, "a JointEnergyModel")
        height, width, channels = known_shape(self.network, "energy", "keras.Input((28, 28, 1))", rank=3)
        self._image_shape = (height, width, channels)
        given = known_output(self.network, "energy", "Give one that gives energies alone.")[1:]
        if tuple(given) not in ((), (1,)):
            raise ZooError(f"the energy network gives {[None, *given]}, expected one energy an image, [batch, 1].")
        self._asked: tuple[int, float | None] = (self.sample_steps, None)
        self._report(("loss", *self.objective_layer.names))
        self.built = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

    @property
    def averages_over(self) -> str | None:
        """The chains of an objective that has any, which are of no image."""
        return "the chains" if self.objective_layer.has_chains else None

    @property
    def weights(self) -> list[keras.Variable]:
        """The weights of the network. What an objective keeps, such as a replay buffer, is a state of training."""
        return self.network.weights

    # The distribution.

    def energy_of(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns energies float32 [batch], in nats, of images [batch, height, width, channels]."""
        values: Any = self.network(images, training=training)
        return tf.reshape(tf.cast(values, tf.float32), [-1])

    def chain(
        self, position: tf.Tensor, steps: Any, seed: Seed, sampler: Sampler | None = None, first: Seed = 0
    ) -> tf.Tensor:
        """Returns where chains [batch, height, width, channels] are after so many steps of a sampler."""
        sampler = self.sampler if sampler is None else sampler
        steps = tf.cast(steps, tf.int64)

        def step(index: tf.Tensor, state: Any) -> tuple:
            return index + 1, sampler.step(state, random.fold_in(seed, index), self.energy_of, index, first)

        state = sampler.init(position, self.energy_of)
        return tf.while_loop(lambda index, _: index < steps, step, (tf.zeros([], tf.int64), state))[1].position

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        """Returns energies [batch]."""
        return self.energy_of(images, training)

    # Training.

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configures training, and makes what the objective keeps, such as a replay buffer. See `GenerativeModel`."""
        self.objective_layer.prepare(self.image_shape)
        super().compile(optimizer, **kwargs)

    def objective(
        self, images: tf.Tensor, seed: Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the terms of the objective, each [batch]."""
        return self.objective_layer.values(self, images, seed, training)

    # The verbs.

    def energy(self, images: np.ndarray) -> np.ndarray:
        """Returns the energy of images in [0, 1], in nats, float32 [batch].

        Raises:
            ZooError: The images are not as in `fit`.
        """
        return self.run_in_batches("energy", image=self._checked_images(images, "images"))["energy"]

    def score(self, images: np.ndarray) -> np.ndarray:
        """Returns -grad E at images in [0, 1], in nats a unit of pixels, float32 in their shape.

        Raises:
            ZooError: The images are not as in `fit`.
        """
        return self.run_in_batches("score", image=self._checked_images(images, "images"))["score"]

    def anomaly_score(self, images: np.ndarray) -> np.ndarray:
        """Returns how unlike the training images each is, float32 [batch]: its energy."""
        return self.energy(images)

    def sample(
        self,
        n: int,
        seed: int = 0,
        label: Any = None,
        temperature: float = 1.0,
        steps: int | None = None,
        step_size: float | None = None,
    ) -> np.ndarray:
        """Draws images by chains that start from noise, uniform in [0, 1].

        Args:
            n: How many.
            seed: An integer in [0, 2**63).
            label: None.
            temperature: From 1e-6 to 1e6, times that of the sampler.
            steps: Of each chain, by default `sample_steps`.
            step_size: In place of that of the sampler.

        Returns:
            float32 [n, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is out of its range.
        """
        self._asked = (
            check_count(self.sample_steps if steps is None else steps, "steps"),
            None if step_size is None else check_positive(step_size, "step_size"),
        )
        return super().sample(n, seed, label, temperature)

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        steps, step_size = self._asked
        if step_size is not None and not isinstance(self.sampler.step_size, float):
            raise ZooError("the sampler of this model has a schedule for its step_size: leave step_size out.")
        parts = [
            self._chains(
                tf.constant(seed, tf.int64),
                tf.constant(min(VERB_BATCH, n - first)),
                tf.constant(temperature),
                tf.constant(steps, tf.int64),
                tf.constant(self._default_step_size if step_size is None else step_size),
                tf.constant(first, tf.int64),
            ).numpy()
            for first in range(0, n, VERB_BATCH)
        ]
        images = np.concatenate(parts)
        if not np.isfinite(images).all():
            raise ZooError("chains diverged: images are not finite. Lower step_size, or train on; see `zoo.ebm.EBM`.")
        return images

    @functools.cached_property
    def _chains(self) -> Any:
        return tf.function(self._images_of_chains, autograph=False)

    @property
    def _default_step_size(self) -> float:
        """The step size of the sampler, or 1 where it has a schedule, which is then followed."""
        return self.sampler.step_size if isinstance(self.sampler.step_size, float) else 1.0

    def _images_of_chains(
        self,
        seed: tf.Tensor,
        n: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        step_size: tf.Tensor,
        first: Seed = 0,
    ) -> tf.Tensor:
        """Returns rows `first` to `first + n` of the images of a seed."""
        sampler, changes = self.sampler, {}
        if isinstance(sampler.step_size, float):
            changes["step_size"] = step_size
        if isinstance(sampler, UnadjustedLangevin):
            changes |= sampler.heated(temperature)
        shape = tf.stack([tf.cast(n, tf.int32), *self.image_shape])
        skip = random.as_seed(first) * math.prod(self.image_shape)
        start = tf.ensure_shape(
            random.uniform(shape, random.fold_in(seed, _START), skip=skip), [None, *self.image_shape]
        )
        end = self.chain(start, steps, random.fold_in(seed, _CHAIN), sampler.replaced(**changes), first)
        return tf.where(tf.math.is_finite(end), tf.clip_by_value(end, 0.0, 1.0), np.nan)

    # Export and serialization.

    def signatures(self) -> dict[str, Signature]:
        """Returns `energy`, `score` and `sample`."""
        image, drawn = image_tensor("image", self.image_shape), image_tensor("image", self.image_shape, "n")
        energy = NamedTensor("energy", ("batch",), description="energy in nats, low for likely images")
        score = NamedTensor("score", ("batch", *self.image_shape), description="minus the gradient of the energy")
        steps = NamedTensor(
            "steps", (), "int64", (1, 10**6), "steps of the chain", examples=(2, 20), default=self.sample_steps
        )
        asked = (SEED, COUNT, TEMPERATURE, steps)
        if isinstance(self.sampler.step_size, float):
            default = self.sampler.step_size
            asked += (
                NamedTensor(
                    "step_size",
                    (),
                    "float32",
                    (1e-9, 1e9),
                    "size of a step",
                    examples=(default, default),
                    default=default,
                ),
            )
        signatures = (
            Signature("energy", self._energy, (image,), (energy,), description="How unlikely an image is."),
            Signature("score", self._score, (image,), (score,), description="Where it grows more likely."),
            Signature("sample", self._sample, asked, (drawn,), description="New images."),
        )
        return {signature.name: signature for signature in signatures}

    def _energy(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"energy": self.energy_of(image)}

    def _score(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"score": -energy_and_gradient(self.energy_of, image)[1]}

    def _sample(
        self,
        seed: tf.Tensor,
        n: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        step_size: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        size = tf.constant(self._default_step_size) if step_size is None else step_size
        return {"image": self._images_of_chains(seed, n, temperature, steps, size)}

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "energy": serialize(self.network),
            "objective": serialize(self.objective_layer),
            "sampler": serialize(self.sampler),
            "sample_steps": self.sample_steps,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Builds a model from `get_config`."""
        config = copy.deepcopy(config)  # Keras empties parts of what it deserializes
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("energy", "objective", "sampler")
        }
        return cls(**{**config, **parts})
