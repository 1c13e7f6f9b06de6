"""MADE (Germain et al. 2015): a network whose output i depends on the inputs before i alone.

Every unit has a degree. A connection is kept where information flows from lower degrees to higher ones (their
section 4):

    input i     degree i, from 1 to size
    hidden      degrees spread over 1 to size - 1;  kept from a to b where b >= a
    output i    degree i;                           kept from a to b where b >  a

So the Jacobian of outputs by inputs is strictly lower triangular, in the order chosen. With a context, which
every output may depend on, hidden degrees start at 0: those units see the context alone.
"""

import itertools
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from zoo.validation import check_count, check_sizes


@keras.saving.register_keras_serializable(package="zoo")
class MaskedDense(keras.layers.Layer):
    """A dense layer [..., inputs] to [..., outputs] that lacks some of its connections.

    Args:
        input_degrees: One integer an input.
        output_degrees: One integer an output. A connection needs an output degree of at least the input's.
        strict: Whether the output degree has to be above the input's.
        kernel_initializer: A Keras initializer, by name or itself.
    """

    def __init__(
        self,
        input_degrees: Sequence[int],
        output_degrees: Sequence[int],
        strict: bool = False,
        kernel_initializer: str | keras.initializers.Initializer = "glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.input_degrees = [int(degree) for degree in input_degrees]
        self.output_degrees = [int(degree) for degree in output_degrees]
        self.strict = strict
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def mask(self) -> np.ndarray:
        """Ones where there is a connection, zeros elsewhere, float32 [inputs, outputs]."""
        before, after = np.array(self.input_degrees)[:, None], np.array(self.output_degrees)[None, :]
        return (after > before if self.strict else after >= before).astype(np.float32)

    def build(self, input_shape: tuple | None = None) -> None:
        """Creates the weights."""
        shape = (len(self.input_degrees), len(self.output_degrees))
        self.kernel = self.add_weight(shape=shape, initializer=self.kernel_initializer, name="kernel")
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [..., inputs] to [..., outputs]."""
        kernel = tf.convert_to_tensor(self.kernel)
        return tf.tensordot(inputs, kernel * tf.constant(self.mask, kernel.dtype), 1) + self.bias

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "input_degrees": self.input_degrees,
            "output_degrees": self.output_degrees,
            "strict": self.strict,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="zoo")
class MADE(keras.layers.Layer):
    """An autoregressive network: tensors [..., size] whose entry i depends on the inputs before i alone.

    The last layer starts at zero, so that a flow made of it starts as one that changes nothing.

    Args:
        size: The number of inputs, at least 1.
        outputs: How many numbers there are for each input.
        hidden: Widths of the hidden layers, at least one.
        activation: A Keras activation of the hidden layers, by name or itself.
        reverse: Whether "before" means a higher index, not a lower one.
        conditional: Whether `call` is given a context [..., hidden[0]], which is added to the first hidden
            layer before its activation.

    Raises:
        ZooError: A size is below 1, or there is no hidden layer.
    """

    def __init__(
        self,
        size: int,
        outputs: int = 2,
        hidden: Sequence[int] = (64,),
        activation: str = "elu",
        reverse: bool = False,
        conditional: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.size, self.outputs = check_count(size, "size"), check_count(outputs, "outputs")
        self.hidden = list(check_sizes(hidden, "hidden"))
        self.activation = keras.activations.get(activation)
        self.reverse, self.conditional = reverse, conditional
        degrees = self._degrees()
        self._hidden_layers = [
            MaskedDense(before, after, dtype=self.dtype_policy, name=f"hidden_{index}")
            for index, (before, after) in enumerate(itertools.pairwise(degrees[:-1]))
        ]
        self._last = MaskedDense(degrees[-2], degrees[-1], True, "zeros", dtype=self.dtype_policy, name="last")

    def _degrees(self) -> list[list[int]]:
        """Returns the degrees of the inputs, of every hidden layer and of the outputs."""
        inputs = list(range(1, self.size + 1))[:: -1 if self.reverse else 1]
        lowest = 0 if self.conditional else min(1, self.size - 1)
        hidden = [np.linspace(lowest, self.size - 1, width).round().astype(int).tolist() for width in self.hidden]
        return [inputs, *hidden, inputs * self.outputs]

    def build(self, input_shape: tuple | None = None, context_shape: tuple | None = None) -> None:
        """Creates the weights; the shapes are known without those of the inputs."""
        for layer in (*self._hidden_layers, self._last):
            layer.build()
            layer.built = True

    def call(self, inputs: tf.Tensor, context: tf.Tensor | None = None) -> list[tf.Tensor]:
        """Maps inputs [..., size] and a context [..., hidden[0]] to a list of `outputs` tensors [..., size]."""
        features = self._hidden_layers[0](inputs)
        features = self.activation(features if context is None else features + context)
        for layer in self._hidden_layers[1:]:
            features = self.activation(layer(features))
        return tf.split(self._last(features), self.outputs, axis=-1)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {
            **super().get_config(),
            "size": self.size,
            "outputs": self.outputs,
            "hidden": self.hidden,
            "activation": keras.activations.serialize(self.activation),
            "reverse": self.reverse,
            "conditional": self.conditional,
        }
