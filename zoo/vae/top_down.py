"""One level of a hierarchy of latents: its prior, its posterior, and what it hands down.

The state [batch, height, width, filters] carries what the levels above have drawn. A level reads its prior off
the state, its posterior off the state and the encoder's features of that resolution, and adds its draw to it.
"""

import functools

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo.networks.residual import ResidualBlock
from zoo.networks.sizes import crop_to
from zoo.vae.scales import positive

_SMALLEST = 1e-3  # a posterior's scale is the product of two, and neither is to vanish


@keras.saving.register_keras_serializable(package="zoo")
class TopDownLevel(keras.layers.Layer):
    """A stochastic level (Sonderby et al. 2016; the residual Normals are those of Vahdat and Kautz 2020, section 3.2).

        p(z|state)           = Normal(loc, scale^2)
        q(z|state, features) = Normal(loc + dloc, (scale dscale)^2)

    so that the posterior starts out equal to the prior, wherever that goes.

    Args:
        latent_channels: Channels of the latent, [height, width, latent_channels].
        blocks: Residual blocks after the draw.
        activation: Any Keras activation.
    """

    def __init__(self, latent_channels: int, blocks: int = 1, activation: str = "elu", **kwargs):
        super().__init__(**kwargs)
        self.latent_channels, self.blocks, self.activation = latent_channels, blocks, activation

    def build(self, state_shape: tuple, features_shape: tuple) -> None:
        """Creates the weights, for a state from above and features [batch, height, width, filters]."""
        _, height, width, filters = features_shape
        self.latent_shape = (height, width, self.latent_channels)
        kernel = 1 if height == width == 1 else 3
        self._widen = self._widening(state_shape, (height, width, filters))
        # That of this layer, not the global one, which can differ where a file is loaded.
        convolution = functools.partial(keras.layers.Conv2D, dtype=self.dtype_policy)
        self._prior = convolution(2 * self.latent_channels + filters, 1, kernel_initializer="zeros", name="prior")
        self._mix = convolution(max(1, filters // 2), 1, activation=self.activation, name="mix")
        self._look = convolution(max(1, filters // 2), kernel, padding="same", activation=self.activation, name="look")
        self._posterior = convolution(2 * self.latent_channels, 1, kernel_initializer="zeros", name="posterior")
        self._absorb = convolution(filters, 1, name="absorb")
        self._after = [
            ResidualBlock(self.activation, dtype=self.dtype_policy, name=f"block_{index}")
            for index in range(self.blocks)
        ]
        wide = (None, height, width, filters)
        self._prior.build(wide)
        self._mix.build((*wide[:3], 2 * filters))
        self._look.build(self._mix.compute_output_shape((*wide[:3], 2 * filters)))
        self._posterior.build((*wide[:3], max(1, filters // 2)))
        self._absorb.build((None, *self.latent_shape))
        for block in self._after:
            block.build(wide)
        self.state_shape = wide

    def _widening(self, state_shape: tuple, target: tuple[int, int, int]) -> keras.Model | None:
        """Returns what brings the state from above to the resolution of this level."""
        if tuple(state_shape[1:]) == target:
            return None
        height, width, filters = target
        state, policy = keras.Input(state_shape[1:]), self.dtype_policy
        if tuple(state_shape[1:3]) == (height, width):
            wider = keras.layers.Conv2D(filters, 1, dtype=policy)(state)
        elif state_shape[1] == state_shape[2] == 1:
            wider = keras.layers.Flatten(dtype=policy)(state)
            wider = keras.layers.Dense(height * width * filters, dtype=policy)(wider)
            wider = keras.layers.Reshape(target, dtype=policy)(wider)
        else:
            wider = keras.layers.Conv2DTranspose(filters, 4, 2, padding="same", dtype=policy)(state)
            wider = crop_to(wider, height, width)
        return keras.Model(state, wider, name="widen")

    def call(self, state: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        """Returns the state below, with the latent at the posterior's location."""
        state, prior = self.read_prior(state)
        return self.absorb(state, self.posterior(state, features, prior).distribution.loc)

    def read_prior(self, state: tf.Tensor) -> tuple[tf.Tensor, tfd.Distribution]:
        """Returns the state at this level's resolution, and p(z|state) of event shape [height, width, channels]."""
        if self._widen is not None:
            state = self._widen(state)
        values = self._prior(keras.activations.get(self.activation)(state))
        loc, raw_scale, residual = tf.split(values, [self.latent_channels, self.latent_channels, -1], axis=-1)
        return state + residual, _normal(tf.cast(loc, tf.float32), _scale(raw_scale))

    def posterior(self, state: tf.Tensor, features: tf.Tensor, prior: tfd.Distribution) -> tfd.Distribution:
        """Returns q(z|state, features)."""
        both = keras.activations.get(self.activation)(tf.concat([state, features], axis=-1))
        loc, raw_scale = tf.split(self._posterior(self._look(self._mix(both))), 2, axis=-1)
        base = prior.distribution
        return _normal(base.loc + tf.cast(loc, tf.float32), base.scale * _scale(raw_scale))

    def absorb(self, state: tf.Tensor, latent: tf.Tensor) -> tf.Tensor:
        """Returns the state below, given the latent [batch, height, width, channels]."""
        state += self._absorb(tf.cast(latent, state.dtype))
        for block in self._after:
            state = block(state)
        return state

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("latent_channels", "blocks", "activation")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _scale(raw_scale: tf.Tensor) -> tf.Tensor:
    return positive(tf.cast(raw_scale, tf.float32)) + _SMALLEST


def _normal(loc: tf.Tensor, scale: tf.Tensor) -> tfd.Distribution:
    return tfd.Independent(tfd.Normal(loc, scale), reinterpreted_batch_ndims=3)
