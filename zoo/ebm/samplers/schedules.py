"""Numbers that change from step to step: of step sizes, temperatures and noise.

A schedule is a number, or any function from the index of a step, from 0 on, to a scalar tensor, as those of
`keras.optimizers.schedules` are. A model that is saved with a sampler takes numbers and the latter.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.validation import check_count, check_positive

Schedule = float | Callable[[Any], Any]


def check_schedule(value: Any, name: str, or_zero: bool = False) -> Schedule:
    """Returns a schedule after checking its first value.

    Raises:
        ZooError: It is no number above 0, or at least 0, nor a function that starts with one.
    """
    if callable(value):
        check_positive(float(np.asarray(value(0))), f"{name} at step 0", or_zero)
        return value
    return check_positive(value, name, or_zero)


def at(schedule: Schedule, index: Any, dtype: Any) -> tf.Tensor:
    """Returns the value of a schedule at a step, a scalar."""
    return tf.cast(schedule(index) if callable(schedule) else schedule, dtype)


@keras.saving.register_keras_serializable(package="zoo")
class Geometric(keras.optimizers.schedules.LearningRateSchedule):
    """Goes from one number to another in equal ratios, and stays there.

    Args:
        first: At step 0, above 0.
        last: At step `steps - 1` and after, above 0.
        steps: How many, at least 2.

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(self, first: float, last: float, steps: int):
        self.first, self.last = check_positive(first, "first"), check_positive(last, "last")
        self.steps = check_count(steps, "steps", 2)

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the number at a step."""
        share = tf.minimum(tf.cast(step, tf.float32) / (self.steps - 1), 1.0)
        return self.first * tf.pow(self.last / self.first, share)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"first": self.first, "last": self.last, "steps": self.steps}
