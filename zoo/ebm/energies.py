"""What samplers work on: an energy E, of which p(x) is proportional to exp(-E(x)).

An energy is any function of tensors, from positions [chains, ...] to [chains], in nats: a method of a model of the zoo,
a Keras network that gives one number a row, or a function of your own.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.validation import as_array

Energy = Callable[[tf.Tensor], tf.Tensor]


def energy_and_gradient(energy: Energy, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns E(x) [chains] and its gradient at x, in the shape of x."""
    with tf.GradientTape() as tape:
        tape.watch(position)
        values = energy(position)
    gradient: Any = tape.gradient(values, position)
    if gradient is None:
        raise ZooError("the energy does not depend on the position by differentiable steps: its gradient is None.")
    return values, gradient


def as_energy(energy: Any) -> Energy:
    """Returns a function that gives energies [chains]; a Keras network that gives [chains, 1] serves as one.

    Raises:
        ZooError: It is no function.
    """
    if not callable(energy):
        raise ZooError(f"energy is {energy!r}, expected a function from positions [chains, ...] to energies [chains].")
    return _flat(energy) if isinstance(energy, keras.Model) else energy  # pyright: ignore[reportReturnType]


def check_energy(energy: Energy, position: tf.Tensor) -> None:
    """Tries an energy on positions.

    Raises:
        ZooError: It gives another shape than [chains], or values that are not finite.
    """
    values, chains = tf.convert_to_tensor(energy(position)), position.shape[0]
    if values.shape != (chains,):
        raise ZooError(
            f"the energy of positions {position.shape.as_list()} has shape {values.shape.as_list()}, expected "
            f"[{chains}]: one number a chain. Sum over all axes but the first."
        )
    if not bool(tf.reduce_all(tf.math.is_finite(values))):
        raise ZooError("the energy of the positions to start at is not finite. Start where it is.")


def checked_position(position: Any, bounds: tuple[float, float] | None = None) -> tf.Tensor:
    """Returns positions to start at as a tensor, float32 or float64.

    Raises:
        ZooError: There is no chain among them, they are not finite floats, or lie outside the bounds.
    """
    array = as_array(position, "positions")
    if array.dtype.kind != "f" or not array.ndim or not array.size:
        raise ZooError(
            f"positions have dtype {array.dtype} and shape {list(array.shape)}, expected floats [chains, ...], one row "
            "a chain."
        )
    values = tf.convert_to_tensor(array if array.itemsize == 8 else array.astype("float32"))
    if not bool(tf.reduce_all(tf.math.is_finite(values))):
        raise ZooError("positions to start at are not finite.")
    low, high = float(array.min()), float(array.max())
    if bounds is not None and not (bounds[0] <= low and high <= bounds[1]):
        raise ZooError(
            f"positions range from {low:.4g} to {high:.4g}, outside of the domain of the sampler, {bounds[0]:g} to "
            f"{bounds[1]:g}. Start inside, or change its bounds."
        )
    return values


def _flat(network: keras.Model) -> Energy:
    def energy(position: tf.Tensor) -> tf.Tensor:
        """Returns the network's one number a row."""
        values: Any = network(position, training=False)
        values = tf.cast(values, position.dtype)
        return tf.squeeze(values, axis=-1) if values.shape.rank == 2 and values.shape[-1] == 1 else values

    return energy
