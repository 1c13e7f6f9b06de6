"""Normalizing flows as priors: a standard Normal, bent by learned steps. Both start as the standard Normal."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from zoo.errors import ZooError
from zoo.vae.flows import autoregressive, coupling, made_networks
from zoo.vae.priors.base import PosteriorFunction, Prior
from zoo.validation import check_count, check_sizes


class _Flow(Prior):
    """Base of the flows.

    Args:
        latent_size: The number of latent dimensions, at least 1.
        flows: The number of steps, at least 1.
        hidden: Widths of the hidden layers of each step's network.
    """

    _networks: list[keras.Layer]

    def __init__(self, latent_size: int, flows: int, hidden: Sequence[int], **kwargs):
        super().__init__(latent_size, **kwargs)
        self.flows, self.hidden = check_count(flows, "flows"), list(check_sizes(hidden, "hidden"))

    def bijector(self) -> tfb.Bijector:
        """Returns the map from standard Normal noise to latents."""
        raise NotImplementedError

    def distribution(self, posterior: PosteriorFunction | None = None) -> tfd.Distribution:
        """Returns the standard Normal, transformed."""
        zeros = tf.zeros([self.latent_size])
        base = tfd.Independent(tfd.Normal(zeros, tf.ones_like(zeros)), reinterpreted_batch_ndims=1)
        return tfd.TransformedDistribution(base, self.bijector())

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "flows": self.flows, "hidden": self.hidden}


@keras.saving.register_keras_serializable(package="zoo")
class AutoregressiveFlow(_Flow):
    """A masked autoregressive flow (Papamakarios et al. 2017), the order of the latents turned about between steps.

    The density costs one pass. A draw is made latent by latent: `latent_size` passes a step.

    Args:
        latent_size: The number of latent dimensions, at least 1.
        flows: The number of steps, at least 1.
        hidden: Widths of the hidden layers of each step's network.
    """

    def __init__(self, latent_size: int, flows: int = 2, hidden: Sequence[int] = (64,), **kwargs):
        super().__init__(latent_size, flows, hidden, **kwargs)
        self._networks = made_networks(latent_size, flows, self.hidden)

    def build(self, image_shape: tuple[int, ...] | None = None) -> None:
        """Creates the weights; the shape of the images does not matter."""
        for network in self._networks:
            network.build(None)
            network.built = True

    def bijector(self) -> tfb.Bijector:
        """Returns the map from standard Normal noise to latents."""
        return tfb.Chain([autoregressive(network) for network in self._networks])


@keras.saving.register_keras_serializable(package="zoo")
class CouplingFlow(_Flow):
    """RealNVP (Dinh et al. 2017): affine couplings, each changing one half of the latents given the other.

    The density and a draw cost one pass each.

    Args:
        latent_size: The number of latent dimensions, at least 2.
        flows: The number of couplings, at least 1; with fewer than 2 one half is left as it is.
        hidden: Widths of the hidden layers of each coupling's network.
    """

    def __init__(self, latent_size: int, flows: int = 4, hidden: Sequence[int] = (64,), **kwargs):
        super().__init__(latent_size, flows, hidden, **kwargs)
        if latent_size < 2:
            raise ZooError(
                f"a coupling flow changes some latents given others and needs at least 2, not {latent_size!r}: use "
                "an autoregressive flow"
            )
        half = latent_size // 2
        # The first half is kept by even couplings, the rest by odd ones.
        self._kept = [half if index % 2 == 0 else half - latent_size for index in range(flows)]
        self._networks = [self._network(kept, index) for index, kept in enumerate(self._kept)]

    def _network(self, kept: int, index: int) -> keras.Sequential:
        layers = [keras.layers.Dense(width, "elu", dtype="float32") for width in self.hidden]
        last = keras.layers.Dense(2 * (self.latent_size - abs(kept)), kernel_initializer="zeros", dtype="float32")
        return keras.Sequential([*layers, last], name=f"coupling_{index}")

    def build(self, image_shape: tuple[int, ...] | None = None) -> None:
        """Creates the weights; the shape of the images does not matter."""
        for network, kept in zip(self._networks, self._kept, strict=True):
            network.build((None, abs(kept)))

    def bijector(self) -> tfb.Bijector:
        """Returns the map from standard Normal noise to latents."""
        return tfb.Chain(
            [
                coupling(lambda latents, network=network: _split(network, latents), kept)
                for network, kept in zip(self._networks, self._kept, strict=True)
            ]
        )


def _split(network: keras.Sequential, latents: tf.Tensor) -> list[tf.Tensor]:
    """Returns shift and raw log-scale [..., changed] for latents [..., kept]."""
    rows = network(tf.reshape(latents, [-1, latents.shape[-1]]))
    values = tf.reshape(rows, tf.concat([tf.shape(latents)[:-1], tf.shape(rows)[-1:]], axis=0))
    return tf.split(values, 2, axis=-1)
