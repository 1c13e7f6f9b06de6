"""Layers whose weights have a largest singular value of 1 (Miyato et al. 2018, section 2 and algorithm 1).

    W / sigma(W),    sigma(W) = v^T W u

with W the kernel as a matrix, all inputs by outputs, and u and v its first singular vectors, by a step of the power
method at every call in training. Gradients flow through sigma, which is what `keras.layers.SpectralNormalization`
leaves out.
"""

from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError

_SMALLEST = 1e-12  # singular value to divide by


class _AllVariables(keras.layers.Layer):
    """Saves and loads all variables of a layer: those of Keras that have a kernel do so with two by name."""

    def save_own_variables(self, store: Any) -> None:
        """Writes the variables."""
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        """Reads the variables."""
        keras.layers.Layer.load_own_variables(self, store)


@keras.saving.register_keras_serializable(package="zoo")
class SpectralConv2D(_AllVariables, keras.layers.Conv2D):
    """A convolution with a normalized kernel; takes what `keras.layers.Conv2D` takes, but channels come last.

    Raises:
        ZooError: They come first.
    """

    def build(self, shape: Any) -> None:
        """Creates the weights for [batch, height, width, channels]."""
        if self.data_format != "channels_last":
            raise ZooError(f"data_format is '{self.data_format}', expected 'channels_last': transpose the images.")
        super().build(shape)
        self._vector = _singular_vector(self, self.filters)

    def call(self, inputs: tf.Tensor, training: bool = False) -> Any:
        """Maps [batch, height, width, channels] to [batch, rows, columns, filters]."""
        outputs = self.convolution_op(inputs, _normalized(self.kernel, self._vector, training))
        outputs = outputs if self.bias is None else outputs + self.bias
        return self.activation(outputs) if self.activation else outputs


@keras.saving.register_keras_serializable(package="zoo")
class SpectralDense(_AllVariables, keras.layers.Dense):
    """A dense layer with a normalized kernel; takes what `keras.layers.Dense` takes."""

    def build(self, shape: Any) -> None:
        """Creates the weights for [..., inputs]."""
        super().build(shape)
        self._vector = _singular_vector(self, self.units)

    def call(self, inputs: tf.Tensor, training: bool = False) -> Any:
        """Maps [..., inputs] to [..., units]."""
        outputs = keras.ops.matmul(inputs, _normalized(self.kernel, self._vector, training))
        outputs = outputs if self.bias is None else outputs + self.bias
        return self.activation(outputs) if self.activation else outputs


def _singular_vector(layer: keras.layers.Layer, size: int) -> keras.Variable:
    return layer.add_weight(
        name="singular_vector",
        shape=(size,),
        initializer=keras.initializers.RandomNormal(stddev=size**-0.5, seed=0),
        trainable=False,
        dtype="float32",
        autocast=False,
        # All replicas do the same with the same weights; any other aggregation cannot be assigned to in a branch, where
        # lazy penalties are.
        aggregation="none",
    )


def _normalized(kernel: Any, vector: keras.Variable, training: bool) -> tf.Tensor:
    kernel = tf.convert_to_tensor(kernel)
    matrix = tf.reshape(tf.cast(kernel, tf.float32), [-1, vector.shape[0]])
    constant, right = tf.stop_gradient(matrix), tf.convert_to_tensor(vector)
    left = tf.math.l2_normalize(tf.linalg.matvec(constant, right))
    if training:
        right = tf.math.l2_normalize(tf.linalg.matvec(constant, left, transpose_a=True))
        vector.assign(right)
        left = tf.math.l2_normalize(tf.linalg.matvec(constant, right))
    else:
        right = tf.math.l2_normalize(right)
    sigma = tf.tensordot(left, tf.linalg.matvec(matrix, right), 1)
    return kernel / tf.cast(tf.maximum(sigma, _SMALLEST), kernel.dtype)  # of a kernel of zeros, 0
