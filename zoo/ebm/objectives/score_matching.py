"""Score matching: the gradient of the energy is fitted to that of the data, without any chain.

    denoising    s^2 / 2 |grad E(y) - (y - x) / s^2|^2    y = x + s e, e ~ Normal(0, 1)  (Vincent 2011, equation 9)
    sliced       v . H(x) v + |grad E(x)|^2 / 2           v = +-1 at random               (Song et al. 2019, equation 8)

with H minus the Hessian of E: what is matched is the score, -grad E. The first learns the energy of data with noise of
the scales s; for several, of the mixture over them (Li et al. 2019). The second learns that of the data themselves,
which must have a density: a little noise is added to pixels that have levels.
"""

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.ebm.energies import energy_and_gradient
from zoo.ebm.objectives.base import NO_PART, Objective, Trained
from zoo.errors import ZooError
from zoo.random import Seed
from zoo.validation import check_count, check_positive

_NOISE, _SCALE, _DIRECTION = range(3)  # purposes of noise
_TRIED = 8  # images, to see whether a network has curvature


@keras.saving.register_keras_serializable(package="zoo")
class DenoisingScoreMatching(Objective):
    """Learns to point from noisy images to the clean ones.

    Args:
        noise_scales: The smallest and the largest standard deviation of the noise, in units of pixels; each image gets
            one, evenly drawn on a scale of ratios.

    Raises:
        ZooError: They are not two numbers above 0 in order.
    """

    names = ("data_energy",)

    def __init__(self, noise_scales: tuple[float, float] = (0.05, 0.5), **kwargs: Any):
        super().__init__(**kwargs)
        low, high = (check_positive(scale, "noise_scales") for scale in noise_scales)
        if low > high:
            raise ZooError(f"noise_scales are {tuple(noise_scales)}, expected (smallest, largest).")
        self.noise_scales = (low, high)

    def values(self, model: Trained, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns the loss, in units where predicting no noise at all costs half the number of pixels."""
        low, high = self.noise_scales
        axes = list(range(1, len(images.shape)))
        share = random.uniform(tf.stack([tf.shape(images)[0], *[1] * len(axes)]), random.fold_in(seed, _SCALE))
        scale = low * tf.pow(high / low, share)
        noise = random.normal(tf.shape(images), random.fold_in(seed, _NOISE))
        energy = functools.partial(model.energy_of, training=training)
        values, gradient = energy_and_gradient(energy, images + scale * noise)
        loss = 0.5 * tf.reduce_sum(tf.square(scale * gradient - noise), axis=axes)
        return {"loss": loss + NO_PART * values, "data_energy": values}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "noise_scales": list(self.noise_scales)}


@keras.saving.register_keras_serializable(package="zoo")
class SlicedScoreMatching(Objective):
    """Matches the score along random directions.

    Args:
        directions: How many, for each image.
        data_noise: Standard deviation of the Normal noise that is added to data, in units of pixels.

    Raises:
        ZooError: A number is out of its range.
    """

    names = ("data_energy", "curvature")

    def __init__(self, directions: int = 1, data_noise: float = 0.05, **kwargs: Any):
        super().__init__(**kwargs)
        self.directions = check_count(directions, "directions")
        self.data_noise = check_positive(data_noise, "data_noise", or_zero=True)

    def check_network(self, model: Trained) -> None:
        """Refuses energies that consist of planes, as with ReLU: their loss falls without end, and they learn nothing.

        Raises:
            ZooError: The curvature is 0 at images of noise.
        """
        images = random.uniform(tf.constant([_TRIED, *model.image_shape]), 0)
        if not np.any(self.values(model, images, 0, False)["curvature"]):
            raise ZooError(
                "the energy has no curvature, and sliced score matching learns from that: a network with relu or "
                "leaky_relu consists of planes. Give it smooth activations such as swish, or take "
                "DenoisingScoreMatching."
            )

    def values(self, model: Trained, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns the loss, the energies of data and v . H v, the mean curvature along directions."""
        data = images + self.data_noise * random.normal(tf.shape(images), random.fold_in(seed, _NOISE))
        data = tf.repeat(data, self.directions, axis=0)
        axes = list(range(1, len(images.shape)))
        signs = random.uniform(tf.shape(data), random.fold_in(seed, _DIRECTION))
        direction = tf.where(signs < 0.5, -tf.ones_like(data), tf.ones_like(data))
        with tf.GradientTape() as tape:
            tape.watch(data)
            energies, gradient = energy_and_gradient(functools.partial(model.energy_of, training=training), data)
            slope = tf.reduce_sum(gradient * direction, axis=axes)
        turned = tape.gradient(slope, data, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        curvature = -tf.reduce_sum(turned * direction, axis=axes)
        loss = curvature + 0.5 * tf.reduce_sum(tf.square(gradient), axis=axes) + NO_PART * energies
        named = {"loss": loss, "data_energy": energies, "curvature": curvature}
        return {name: tf.reduce_mean(tf.reshape(value, [-1, self.directions]), axis=1) for name, value in named.items()}

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "directions": self.directions, "data_noise": self.data_noise}
