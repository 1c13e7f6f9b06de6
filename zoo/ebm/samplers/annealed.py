"""Langevin dynamics through falling levels of noise (Song and Ermon 2019, algorithm 1).

    x' = x - h_i grad E(x; s_i) + sqrt(2 h_i) e        h_i = h s_i^2 / s_L^2

for an energy of data with noise of standard deviation s, E(x; s), and levels s_1 > ... > s_L, each for so many steps. h
is half of what the paper calls alpha. For energies without levels give `UnadjustedLangevin` schedules instead.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from zoo import random
from zoo.ebm.energies import Energy, energy_and_gradient
from zoo.ebm.samplers.base import Bounds, Sampler, State, check_bounds
from zoo.errors import ZooError
from zoo.random import Seed
from zoo.validation import check_count, check_list, check_positive


@keras.saving.register_keras_serializable(package="zoo")
class AnnealedLangevin(Sampler):
    """Langevin dynamics on energies that take a level of noise beside the position: energy(x, level) gives [chains].

    Args:
        levels: Standard deviations of noise, falling.
        steps_per_level: How many; `total_steps` are all of them, after which chains stay at the last level.
        step_size: h, at the last level.
        bounds: Values that positions are cut off at, (low, high), or None.

    Raises:
        ZooError: The levels do not fall, or a number is out of its range.
    """

    def __init__(
        self, levels: Sequence[float], steps_per_level: int = 100, step_size: float = 1e-5, bounds: Bounds = None
    ):
        self.levels = [check_positive(level, "levels") for level in check_list(levels, "levels")]
        if not self.levels or self.levels != sorted(set(self.levels), reverse=True):
            raise ZooError(f"levels are {self.levels}, expected falling numbers.")
        self.steps_per_level = check_count(steps_per_level, "steps_per_level")
        self.step_size = check_positive(step_size, "step_size")
        self.bounds = check_bounds(bounds)

    @property
    def total_steps(self) -> int:
        """The steps of all levels."""
        return len(self.levels) * self.steps_per_level

    def energy_at(self, energy: Energy, index: Seed) -> Energy:
        """Returns the energy of the level of a step."""
        level = self._level(index)
        return lambda position: energy(position, tf.cast(level, position.dtype))  # pyright: ignore[reportCallIssue]

    def _level(self, index: Seed) -> tf.Tensor:
        place = tf.minimum(tf.cast(index, tf.int64) // self.steps_per_level, len(self.levels) - 1)
        return tf.gather(tf.constant(self.levels, tf.float64), place)

    def init(self, position: tf.Tensor, energy: Energy) -> State:
        """Returns the state of chains at the first level."""
        values = self.energy_at(energy, 0)(position)
        return State(position, values, acceptance=tf.ones_like(values))

    def step(self, state: State, seed: Seed, energy: Energy, index: Seed, first: Seed = 0) -> State:
        """Returns the state one step on. Its energy is that of where the step began, at its level."""
        dtype, shape = state.position.dtype, tf.shape(state.position)
        values, gradient = energy_and_gradient(self.energy_at(energy, index), state.position)
        step_size = tf.cast(self.step_size * tf.square(self._level(index) / self.levels[-1]), dtype)
        noise = tf.cast(random.normal(shape, seed, first=first), dtype)
        position = state.position - step_size * gradient + tf.sqrt(2 * step_size) * noise
        return State(self.bounded(position), values, acceptance=state.acceptance)
