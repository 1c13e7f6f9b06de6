"""Langevin dynamics without correction (Roberts and Tweedie 1996, section 1.4; Welling and Teh 2011, equation 3).

    x' = x - h grad E(x) + sqrt(2 h T) e        e ~ Normal(0, 1)

with step size h and temperature T. It is not calibrated: for E = x^2 / 2 and T = 1 the variance of x is 2 / (2 - h) in
the long run, not 1. Practice with energies of images gives noise a scale of its own, and cuts gradients off, both of
which is to change the temperature; see Nijkamp et al. (2020, section 3.2).
"""

from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.ebm.energies import Energy, energy_and_gradient
from zoo.ebm.samplers.base import Bounds, Sampler, State, check_bounds
from zoo.ebm.samplers.schedules import Schedule, at, check_schedule
from zoo.random import Seed
from zoo.validation import check_positive


@keras.saving.register_keras_serializable(package="zoo")
class UnadjustedLangevin(Sampler):
    """Langevin dynamics, not corrected for its step size.

    Args:
        step_size: h, a number or a schedule.
        temperature: T, a number or a schedule; 0 descends.
        noise_scale: The standard deviation of the noise of a step in place of sqrt(2 h T), a number or a schedule.
        gradient_clip: The largest absolute value of an entry of the gradient, or None.
        bounds: Values that positions are cut off at, (low, high), or None.

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(
        self,
        step_size: Schedule = 0.01,
        temperature: Schedule = 1.0,
        noise_scale: Schedule | None = None,
        gradient_clip: float | None = None,
        bounds: Bounds = None,
    ):
        self.step_size = check_schedule(step_size, "step_size")
        self.temperature = check_schedule(temperature, "temperature", or_zero=True)
        self.noise_scale = None if noise_scale is None else check_schedule(noise_scale, "noise_scale", or_zero=True)
        self.gradient_clip = None if gradient_clip is None else check_positive(gradient_clip, "gradient_clip")
        self.bounds = check_bounds(bounds)

    def heated(self, temperature: tf.Tensor) -> dict[str, Any]:
        """Returns the arguments that change where everything is so many times as hot."""
        if self.noise_scale is not None:
            scale = self.noise_scale
            return {"noise_scale": lambda index: at(scale, index, tf.float32) * tf.sqrt(temperature)}
        own = self.temperature
        return {"temperature": lambda index: at(own, index, tf.float32) * temperature}

    def own_temperature(self, index: Seed) -> tf.Tensor:
        """Returns T, a scalar, or what it is by the noise scale s of a step: s^2 / (2 h). Where that is 0, 1."""
        found = at(self.temperature, index, tf.float32)
        if self.noise_scale is not None:
            found = tf.square(at(self.noise_scale, index, tf.float32)) / (2 * at(self.step_size, index, tf.float32))
        return tf.where(found > 0, found, 1.0)

    def step(self, state: State, seed: Seed, energy: Energy, index: Seed, first: Seed = 0) -> State:
        """Returns the state one step on."""
        return self._arrived(state, self._moved(state.position, state.gradient, seed, index, first), energy)

    def move(
        self, position: tf.Tensor, memory: Any, seed: Seed, energy: Energy, index: Seed, first: Seed = 0
    ) -> tuple[tf.Tensor, Any]:
        """Returns where chains are one step on, and what they remember: nothing."""
        _, gradient = energy_and_gradient(energy, position)
        return self._moved(position, gradient, seed, index, first), memory

    def _moved(self, position: tf.Tensor, gradient: tf.Tensor, seed: Seed, index: Seed, first: Seed) -> tf.Tensor:
        dtype = position.dtype
        step_size, temperature = (at(each, index, dtype) for each in (self.step_size, self.temperature))
        scale = tf.sqrt(2 * step_size * temperature) if self.noise_scale is None else at(self.noise_scale, index, dtype)
        if self.gradient_clip is not None:
            gradient = tf.clip_by_value(gradient, -self.gradient_clip, self.gradient_clip)
        noise = tf.cast(random.normal(tf.shape(position), seed, first=first), dtype)
        return self.bounded(position - step_size * gradient + scale * noise)
