"""An exponential moving average of a network's weights (Karras et al. 2018), to run the network with."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class WeightAverage:
    """The average, as weights that do not train.

    Args:
        network: A built Keras network.
        add_weight: The method of the model or layer that is to own, save and load the average.
        momentum: Of the average, at least 0 and below 1. It starts lower, so that the first weights are forgotten
            soon: (1 + t) / (10 + t) at step t, while that is less.
    """

    def __init__(self, network: keras.Model, add_weight: Callable[..., keras.Variable], momentum: float):
        self._network, self._momentum = network, momentum
        names = ("trainable_variables", "non_trainable_variables")
        # Which of them train may change later.
        self._trained, self._statistics = (
            [
                (variable, self._copy(variable, index, name, add_weight))
                for index, variable in enumerate(getattr(network, name))
            ]
            for name in names
        )

    @staticmethod
    def _copy(
        variable: keras.Variable, index: int, name: str, add_weight: Callable[..., keras.Variable]
    ) -> keras.Variable:
        average = add_weight(
            name=f"average_{name}_{index}",
            shape=variable.shape,
            dtype=variable.dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",  # all replicas hold the same weights
        )
        average.assign(variable)
        return average

    def update(self, step: tf.Tensor) -> None:
        """Moves the average towards the network's weights, after so many steps; statistics are copied."""
        step = tf.cast(step, tf.float32)
        momentum = tf.minimum(self._momentum, (1.0 + step) / (10.0 + step))
        for variable, average in self._trained:
            average.assign(average + (1.0 - momentum) * (variable - average))
        for variable, average in self._statistics:
            average.assign(variable)

    def __call__(self, inputs: Any) -> tf.Tensor:
        """Returns the outputs of the network with the averaged weights, at inference."""
        averages = {
            id(variable): tf.convert_to_tensor(average) for variable, average in self._trained + self._statistics
        }
        network = self._network
        trained, fixed = (
            [averages[id(variable)] for variable in variables]
            for variables in (network.trainable_variables, network.non_trainable_variables)
        )
        return network.stateless_call(trained, fixed, inputs, training=False)[0]
