"""What every objective of an energy-based model is: the terms that a step minimizes."""

from typing import Any, Protocol

import keras
import tensorflow as tf

from zoo.ebm.samplers.base import Sampler
from zoo.random import Seed

NO_PART = 0.0  # of energies in a loss of gradients; with it the last bias, which has none, gets a gradient of 0


class Trained(Protocol):
    """What an objective needs of the model that it trains."""

    sampler: Sampler
    image_shape: tuple[int, int, int]

    def energy_of(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns energies [batch] of images, in nats."""
        ...

    def chain(self, position: tf.Tensor, steps: Any, seed: Seed) -> tf.Tensor:
        """Returns where chains are after so many steps of the sampler."""
        ...


class Objective(keras.layers.Layer):
    """Base of the objectives.

    Attributes:
        names: What it reports besides the loss.
        has_chains: Whether it compares data with where chains lead.
        start_deviation: The standard deviation of the Normal noise around 0.5 that samples start as, in units of
            pixels; None for noise uniform in [0, 1].
    """

    names: tuple[str, ...] = ()
    has_chains = False
    start_deviation: float | None = None

    def sampler_for(self, steps: int) -> Sampler | None:
        """Returns what draws samples in so many steps where nothing else is asked for; None leaves it to the model."""
        del steps
        return None

    def prepare(self, image_shape: tuple[int, int, int]) -> None:
        """Makes what training needs besides the network, when the model is compiled."""

    def check_network(self, model: Trained) -> None:
        """Raises a ZooError where the network of a model cannot be trained by this, when the model is compiled."""

    def values(self, model: Trained, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns "loss" and the terms in `names`, each [batch], for images [batch, height, width, channels]."""
        raise NotImplementedError
