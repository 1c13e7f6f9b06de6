"""Descent to minima of an energy: no noise, and so no samples of p, but of where it peaks."""

from typing import Any

import keras
import tensorflow as tf

from zoo.ebm.energies import Energy, energy_and_gradient
from zoo.ebm.samplers.base import Bounds, Sampler, State, check_bounds
from zoo.ebm.samplers.schedules import Schedule, at, check_schedule
from zoo.errors import ZooError
from zoo.random import Seed


@keras.saving.register_keras_serializable(package="zoo")
class GradientDescent(Sampler):
    """x' = x - h grad E(x).

    Args:
        step_size: h, a number or a schedule.
        bounds: Values that positions are cut off at, (low, high), or None.

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(self, step_size: Schedule = 0.01, bounds: Bounds = None):
        self.step_size = check_schedule(step_size, "step_size")
        self.bounds = check_bounds(bounds)

    def step(self, state: State, seed: Seed, energy: Energy, index: Seed, first: Seed = 0) -> State:
        """Returns the state one step on; the seed is not used."""
        return self._arrived(state, self._moved(state.position, state.gradient, index), energy)

    def move(
        self, position: tf.Tensor, memory: Any, seed: Seed, energy: Energy, index: Seed, first: Seed = 0
    ) -> tuple[tf.Tensor, Any]:
        """Returns where chains are one step on, and what they remember: nothing."""
        return self._moved(position, energy_and_gradient(energy, position)[1], index), memory

    def _moved(self, position: tf.Tensor, gradient: tf.Tensor, index: Seed) -> tf.Tensor:
        return self.bounded(position - at(self.step_size, index, position.dtype) * gradient)


@keras.saving.register_keras_serializable(package="zoo")
class Nesterov(Sampler):
    """Descent with momentum, whose gradients are those a step ahead (Nesterov 1983; Sutskever et al. 2013, equation 3).

        v' = m v - h grad E(x + m v)
        x' = x + v'

    Args:
        step_size: h, a number or a schedule.
        momentum: m, at least 0 and below 1.
        bounds: Values that positions are cut off at, (low, high), or None.

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(self, step_size: Schedule = 0.01, momentum: float = 0.9, bounds: Bounds = None):
        self.step_size = check_schedule(step_size, "step_size")
        if not 0 <= momentum < 1:
            raise ZooError(f"momentum is {momentum!r}, expected at least 0 and below 1.")
        self.momentum, self.bounds = float(momentum), check_bounds(bounds)

    def init(self, position: tf.Tensor, energy: Energy) -> State:
        """Returns the state of chains at rest."""
        values = energy(position)
        return State(position, values, (), self.memory_at(position), tf.ones_like(values))

    def memory_at(self, position: tf.Tensor) -> tf.Tensor:
        """Returns the velocities of chains at rest."""
        return tf.zeros_like(position)

    def carried(self, memory: Any, change: tf.Tensor) -> Any:
        """Returns the velocities of chains that were moved by something else too: how far they went in all."""
        return memory + change

    def step(self, state: State, seed: Seed, energy: Energy, index: Seed, first: Seed = 0) -> State:
        """Returns the state one step on; the seed is not used. Its energy is that of the point looked ahead to."""
        values, position, velocity = self._moved(state.position, state.memory, energy, index)
        return State(position, values, (), velocity, state.acceptance)

    def move(
        self, position: tf.Tensor, memory: Any, seed: Seed, energy: Energy, index: Seed, first: Seed = 0
    ) -> tuple[tf.Tensor, Any]:
        """Returns where chains are one step on, and their velocities."""
        return self._moved(position, memory, energy, index)[1:]

    def _moved(
        self, position: tf.Tensor, velocity: tf.Tensor, energy: Energy, index: Seed
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        step_size, ahead = at(self.step_size, index, position.dtype), position + self.momentum * velocity
        values, gradient = energy_and_gradient(energy, ahead)
        velocity = self.momentum * velocity - step_size * gradient
        return values, self.bounded(position + velocity), velocity
