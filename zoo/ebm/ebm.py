"""The energy-based model: p(x) proportional to exp(-E(x)), with E any network (LeCun et al. 2006).

    E(x)            energy, low for images that are likely
    -grad E(x)      score, the direction in which they grow more likely
    x' = x - h grad E(x) + sqrt(2 h T) e        a step of Langevin dynamics, by which images are drawn

The constant of p is not known: energies of one model compare images, and those of two models compare nothing.

Shapes: x is [batch, height, width, channels], in [0, 1] at every public method; energies are [batch], in nats.
"""

import copy
from typing import Any

import keras
import tensorflow as tf
from typing_extensions import Self

from zoo.ebm.energy_model import EnergyModel
from zoo.ebm.objectives import OBJECTIVES, Objective
from zoo.ebm.samplers.base import Sampler
from zoo.errors import ZooError, a_kind
from zoo.networks.inputs import check_takes_one, known_output, known_shape
from zoo.random import Seed
from zoo.validation import check_choice, check_count


@keras.saving.register_keras_serializable(package="zoo")
class EBM(EnergyModel):
    """An energy-based model from any Keras network.

    Args:
        energy: Maps images [batch, height, width, channels], in [0, 1] and a little beyond, to energies [batch, 1] or
            [batch]. No final activation; smooth ones inside, and no batch statistics, since chains follow its gradient.
        objective: "contrastive_divergence", "persistent_contrastive_divergence", or one of `zoo.ebm.objectives`.
        sampler: What chains are run with, in training and by `sample`: `UnadjustedLangevin`, `GradientDescent` or
            `Nesterov` of `zoo.ebm.samplers`; by default Langevin dynamics with steps of 1e-4 at a temperature of 1, in
            [0, 1], and for equilibrium matching a descent that is there after `sample_steps`.
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

    network_argument = "energy"  # of the constructor

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
        self._use(objective)
        if sampler is None:
            sampler = self.objective_layer.sampler_for(check_count(sample_steps, "sample_steps"))
        self.use_sampler(sampler, sample_steps)
        check_takes_one(self.network, self.network_argument, type(self).__name__, "a JointEnergyModel")
        height, width, channels = known_shape(self.network, self.network_argument, "keras.Input((28, 28, 1))", rank=3)
        self._image_shape = (height, width, channels)
        self.start_deviation = self.objective_layer.start_deviation
        self._check_output(known_output(self.network, self.network_argument, "Give one that gives one.")[1:])
        self._report((*self.objective_names, *self.objective_layer.names))
        self.built = True

    def _use(self, objective: str | Objective) -> None:
        if isinstance(objective, str):
            objective = OBJECTIVES[check_choice(objective, OBJECTIVES, "objective")]()
        if not isinstance(objective, Objective):
            raise ZooError(f"objective is {a_kind(objective)}, expected one of zoo.ebm.objectives or its name.")
        self.objective_layer = objective

    def _check_output(self, given: tuple[int | None, ...]) -> None:
        """Checks what the network gives for an image."""
        if tuple(given) not in ((), (1,)):
            raise ZooError(f"the energy network gives {[None, *given]}, expected one energy an image, [batch, 1].")

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

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        """Returns energies [batch]."""
        return self.energy_of(images, training)

    # Training.

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configures training, and makes what the objective keeps, such as a replay buffer. See `GenerativeModel`.

        Raises:
            ZooError: The objective cannot train such a network, as sliced score matching one without curvature.
        """
        self.objective_layer.check_network(self)
        self.objective_layer.prepare(self.image_shape)
        super().compile(optimizer, **kwargs)

    def objective(
        self, images: tf.Tensor, seed: Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the terms of the objective, each [batch]."""
        return self.objective_layer.values(self, images, seed, training)

    def why_not_finite(self, names: list[str]) -> str:
        """Returns what makes energies run away, and what holds them."""
        others = super().why_not_finite(names)
        if not self.objective_layer.has_chains:
            return others
        return (
            "Energies grew without limit, or a chain diverged: lower the learning rate or the sampler's step_size, "
            f"raise the objective's regularization or data_noise, or give the sampler a gradient_clip. Or: {others}"
        )

    # Serialization.

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            self.network_argument: serialize(self.network),
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
            for name in (cls.network_argument, "objective", "sampler")
        }
        return cls(**{**config, **parts})
