"""Equilibrium matching: one gradient field, without levels or chains, that leads from noise to data (Wang and Du 2025).

    y = g x + (1 - g) e                            g ~ Uniform(0, 1), e noise
    loss = |grad E(y) - (e - x) c(g)|^2 / 2        (there, equation 5)
    c(g) = w min(1, (1 - g) / (1 - a))             falls to 0 at the data (there, equation 7)

What noise has been mixed in is not told, so that the field is one energy's, at rest at the data: images are drawn by
descent of any kind, from noise like e.
"""

import functools
from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.ebm.energies import energy_and_gradient
from zoo.ebm.objectives.base import NO_PART, Objective, Trained
from zoo.ebm.samplers import GradientDescent
from zoo.ebm.samplers.base import Sampler
from zoo.errors import ZooError
from zoo.random import Seed
from zoo.validation import check_positive

_NOISE, _SHARE = range(2)  # purposes of noise
_WAY = 3.0  # of all steps together, in units of 1 / w; there, 250 steps of 0.003 with w = 4


@keras.saving.register_keras_serializable(package="zoo")
class EquilibriumMatching(Objective):
    """Learns the way from noise to images as a descent.

    Args:
        weight: w, how steep the energy is. Descent by steps of h takes about 2 / (h w) of them.
        decay_from: a, the share of the image from which on it grows flatter, in [0, 1).
        deviation: The standard deviation of e, which is Normal around 0.5, in units of pixels.

    Raises:
        ZooError: A number is out of its range.
    """

    names = ("energy",)

    def __init__(self, weight: float = 4.0, decay_from: float = 0.8, deviation: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = check_positive(weight, "weight")
        self.decay_from = check_positive(decay_from, "decay_from", or_zero=True)
        if self.decay_from >= 1:
            raise ZooError(f"decay_from is {decay_from!r}, expected a share from 0 to below 1.")
        self.deviation = check_positive(deviation, "deviation")
        self.start_deviation = self.deviation

    def sampler_for(self, steps: int) -> Sampler:
        """Returns a descent that is there after so many steps; noise begins beyond [0, 1], and so it has no bounds."""
        return GradientDescent(_WAY / (self.weight * steps))

    def values(self, model: Trained, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns the loss, and the energies of the mixtures."""
        axes = list(range(1, len(images.shape)))
        share = random.uniform(tf.stack([tf.shape(images)[0], *[1] * len(axes)]), random.fold_in(seed, _SHARE))
        noise = 0.5 + self.deviation * random.normal(tf.shape(images), random.fold_in(seed, _NOISE))
        slope = self.weight * tf.minimum(1.0, (1 - share) / (1 - self.decay_from))
        energy = functools.partial(model.energy_of, training=training)
        values, gradient = energy_and_gradient(energy, share * images + (1 - share) * noise)
        loss = 0.5 * tf.reduce_sum(tf.square(gradient - slope * (noise - images)), axis=axes)
        return {"loss": loss + NO_PART * values, "energy": values}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        names = ("weight", "decay_from", "deviation")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
