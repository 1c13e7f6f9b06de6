"""The conditional VAE (Kingma et al. 2014, model M2 with all labels seen; Sohn et al. 2015).

    log p(x|y) >= E_q[log p(x|z, y)] - KL(q(z|x, y) || p(z))

with labels y, integers from 0 to num_classes - 1. The prior does not depend on y, so that z carries what labels do
not say, such as the style. That is the doing of a prior with one mode: one that is flexible, such as a mixture or a
flow, follows the latents to wherever classes lie apart, and draws of it then contradict the label that is asked for.
"""

from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.networks.inputs import known_classes
from zoo.vae.priors import VampPrior
from zoo.vae.vae import VAE


@keras.saving.register_keras_serializable(package="zoo")
class ConditionalVAE(VAE):
    """A VAE that is told the class: `fit(images, labels)`, `sample(n, seed, label=3)`.

    Args:
        encoder: Maps [images, one-hot labels [batch, num_classes]] to features, as `networks.mlp_encoder(...,
            num_classes=10)` does.
        decoder: Maps [latents, one-hot labels] to the likelihood's parameters.
        posterior, prior, likelihood, kl_warm_up, free_bits, seed: As in `VAE`; no VampPrior, whose pseudo-inputs
            have no labels.

    Raises:
        ZooError: The networks do not both take labels of as many classes, or the prior is a VampPrior.
    """

    def _check_inputs(self) -> None:
        networks = {"encoder": self.encoder, "decoder": self.decoder}
        classes = {name: known_classes(network, name, type(self).__name__) for name, network in networks.items()}
        if classes["encoder"] != classes["decoder"]:
            raise ZooError(
                f"the encoder takes labels of {classes['encoder']} classes and the decoder of {classes['decoder']}: "
                "give both the same num_classes."
            )
        self.num_classes = classes["encoder"]

    def _check_parts(self) -> None:
        super()._check_parts()
        if isinstance(self.prior_layer, VampPrior):
            raise ZooError("a VampPrior is made of pseudo-inputs, which have no labels: give another prior.")

    def call(self, images: Any, training: bool = False, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns reconstructions, as in `VAE`; also of (images, labels), which is what `predict` can pass.

        Where a label is out of range they are NaN.
        """
        if labels is None and isinstance(images, list | tuple):
            images, labels = images
        if labels is None:
            return super().call(images, training, labels)
        labels = self._flat_labels(labels)
        return self._nan_unless_known(labels, super().call(images, training, labels))

    def _with_labels(self, values: tf.Tensor, labels: tf.Tensor | None) -> list[tf.Tensor]:
        if labels is None:
            raise ZooError("a ConditionalVAE needs labels, integers [batch]: predict((images, labels)), for example.")
        return [values, tf.one_hot(labels, self.num_classes)]
