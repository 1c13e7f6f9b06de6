"""The inverse autoregressive flow (Kingma et al. 2016): a Normal, bent by steps that see the image."""

from collections.abc import Sequence
from functools import partial

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from zoo.vae.flows import inverse_autoregressive, made_networks
from zoo.vae.posteriors.base import Posterior
from zoo.vae.scales import positive
from zoo.validation import check_count, check_sizes


@keras.saving.register_keras_serializable(package="zoo")
class InverseAutoregressiveFlow(Posterior):
    """q(z|x): z = f_T(... f_1(u)), u ~ Normal(loc(x), diag(scale(x)^2)) (Kingma et al. 2016, algorithm 1).

    Each step is gated, z <- gate z + (1 - gate) m, and its network sees the latents before its own and a linear map
    of the encoder's features; the order of the latents turns about from step to step. Steps start out as a slight
    shrinking.

    A draw, and the density at a draw of the same distribution object, cost one pass: TFP remembers what the draw
    was made of. The density elsewhere is found latent by latent, `latent_size` passes a step. There is no
    closed-form KL; it is estimated as log q(z|x) - log p(z) at the draw.

    Args:
        latent_size: The number of latent dimensions, at least 1.
        flows: T, the number of steps, at least 1.
        hidden: Widths of the hidden layers of each step's network.
    """

    has_fast_density = False

    def __init__(self, latent_size: int, flows: int = 2, hidden: Sequence[int] = (128,), **kwargs):
        super().__init__(latent_size, **kwargs)
        self.flows, self.hidden = check_count(flows, "flows"), list(check_sizes(hidden, "hidden"))
        self._networks = made_networks(latent_size, flows, self.hidden, conditional=True)
        self._flatten = keras.layers.Flatten(dtype=self.dtype_policy, name="flatten")
        self._linear = keras.layers.Dense(2 * latent_size + flows * self.hidden[0], dtype="float32", name="linear")

    def build(self, features_shape: tuple) -> None:
        """Creates the weights for features of this shape."""
        self._flatten.build(features_shape)
        self._linear.build(self._flatten.compute_output_shape(features_shape))
        for network in self._networks:
            network.build()
            network.built = True

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Maps features [batch, ...] to parameters: location, scale, and a context [hidden[0]] for each step."""
        return self._linear(self._flatten(features))

    def distribution(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Returns the Normal, transformed."""
        sizes = [self.latent_size, self.latent_size] + [self.hidden[0]] * self.flows
        loc, raw_scale, *contexts = tf.split(parameters, sizes, axis=-1)
        base = tfd.Independent(tfd.Normal(loc, positive(raw_scale)), reinterpreted_batch_ndims=1)
        steps = [
            inverse_autoregressive(partial(network, context=context))
            for network, context in zip(self._networks, contexts, strict=True)
        ]
        return tfd.TransformedDistribution(base, tfb.Chain(steps[::-1]))

    def statistics(self, distribution: tfd.Distribution) -> dict[str, tf.Tensor]:
        """Returns where the flow takes the base's location, and standard deviations to first order about it.

        The scale is the root of the summed squares of what one standard deviation of each base dimension moves a
        latent by, in central differences: 2 * latent_size passes. It is exact where the flow is linear.
        """
        normal = distribution.distribution.distribution
        offsets = tf.linalg.diag(normal.scale)  # [batch, latent_size, latent_size]
        moved = tf.stack([normal.loc[:, None] + offsets, normal.loc[:, None] - offsets])
        up, down = tf.unstack(distribution.bijector.forward(tf.transpose(moved, [0, 2, 1, 3])))
        return {"loc": distribution.bijector.forward(normal.loc), "scale": tf.norm((up - down) / 2, axis=0)}

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "flows": self.flows, "hidden": self.hidden}
