"""What every sampler is: a way to take all chains one step on.

    state = sampler.init(position, energy)
    state = sampler.step(state, seed, energy, index)

A sampler knows an energy and no model. Where `calibrated` is true its steps leave p(x), proportional to exp(-E(x)), as
it is, so that chains give what is true of p in the long run; else they are biased by their step size, or seek minima.
"""

import copy
import inspect
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from typing_extensions import Self

from zoo.ebm.energies import Energy, energy_and_gradient
from zoo.errors import ZooError
from zoo.random import Seed

Bounds = tuple[float, float] | None


class State(NamedTuple):
    """Where chains are.

    position: [chains, ...].
    energy: E of it, [chains].
    gradient: Of E there, in the shape of the position; or () for samplers without.
    memory: What else a sampler keeps from step to step.
    acceptance: The probability with which each chain's last step was accepted, [chains]; 1 where none is refused.
    """

    position: tf.Tensor
    energy: tf.Tensor
    gradient: Any = ()
    memory: Any = ()
    acceptance: Any = ()


class Sampler:
    """Base of the samplers.

    Attributes:
        calibrated: Whether steps leave p(x) as it is.
        bounds: Between what values positions are kept, or None.
    """

    calibrated: bool = False
    bounds: Bounds = None

    def init(self, position: tf.Tensor, energy: Energy) -> State:
        """Returns the state of chains that start at positions [chains, ...]."""
        values, gradient = energy_and_gradient(energy, position)
        return State(position, values, gradient, self.memory_at(position), tf.ones_like(values))

    def memory_at(self, position: tf.Tensor) -> Any:
        """Returns what chains that start at positions remember."""
        del position
        return ()

    def step(self, state: State, seed: Seed, energy: Energy, index: Seed, first: Seed = 0) -> State:
        """Returns the state one step on.

        Args:
            state: Where the chains are.
            seed: Decides the noise of this step.
            energy: The one that the state was made with.
            index: How many steps came before, which schedules depend on.
            first: The number of the first chain, for chains that are run in batches: those without a Metropolis test
                get the noise that they would get together.
        """
        raise NotImplementedError

    def move(
        self, position: tf.Tensor, memory: Any, seed: Seed, energy: Energy, index: Seed, first: Seed = 0
    ) -> tuple[tf.Tensor, Any]:
        """Returns what `step` does of position and memory alone: no energy is worked out that no step needs.

        So a chain of n steps takes n gradients, all inside its loop. Samplers with a Metropolis test have no `move`.

        Args:
            position: [chains, ...].
            memory: `memory_at` where chains start, then what this returned.
            seed: Decides the noise of this step.
            energy: Any.
            index: How many steps came before.
            first: The number of the first chain.
        """
        raise NotImplementedError

    def energy_at(self, energy: Energy, index: Seed) -> Energy:
        """Returns the energy that a step is taken on."""
        del index
        return energy

    def replaced(self, **changes: Any) -> Self:
        """Returns a copy with other values of arguments, which may be tensors and are not checked."""
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, serialized."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Builds a sampler from `get_config`."""
        return cls(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})

    def own_temperature(self, index: Seed) -> tf.Tensor:
        """Returns T, a scalar, where chains draw from exp(-E(x) / T) as far as they are right; 1 for descents."""
        del index
        return tf.ones([])

    def carried(self, memory: Any, change: tf.Tensor) -> Any:
        """Returns what chains remember after they were moved by something else than a step."""
        del change
        return memory

    def bounded(self, position: tf.Tensor) -> tf.Tensor:
        """Returns positions, cut off at the bounds."""
        return position if self.bounds is None else tf.clip_by_value(position, *self.bounds)

    def _arrived(self, state: State, position: tf.Tensor, energy: Energy) -> State:
        """Returns the state at another position."""
        values, gradient = energy_and_gradient(energy, position)
        return State(position, values, gradient, state.memory, state.acceptance)


def check_bounds(bounds: Any) -> Bounds:
    """Returns bounds after checking them.

    Raises:
        ZooError: They are not two numbers in order.
    """
    if bounds is None:
        return None
    pair = tuple(bounds) if isinstance(bounds, tuple | list) else ()
    if len(pair) != 2 or not pair[0] < pair[1]:
        raise ZooError(f"bounds are {bounds!r}, expected (low, high) or None.")
    return float(pair[0]), float(pair[1])
