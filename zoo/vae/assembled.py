"""The base of the models that are put together from an encoder, a decoder, a likelihood and further parts."""

import copy
from collections.abc import Iterable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import Self

from zoo.callbacks import DIVERGED
from zoo.errors import ZooError
from zoo.model import GenerativeModel
from zoo.networks.inputs import check_takes_one, known_output, known_shape
from zoo.vae.likelihoods import LIKELIHOODS, Likelihood
from zoo.vae.parts import find_layer


class AssembledModel(GenerativeModel):
    """A model whose constructor takes Keras networks and layers.

    Attributes:
        part_attributes: The attribute that holds each part, by the name of the constructor's argument. It is what is
            saved and loaded.
    """

    part_attributes: ClassVar[dict[str, str]] = {
        "encoder": "encoder",
        "decoder": "decoder",
        "likelihood": "likelihood_layer",
    }

    encoder: keras.Model
    decoder: keras.Model
    likelihood_layer: Likelihood

    def _set_networks(
        self, encoder: keras.Model, decoder: keras.Model, likelihood: str | Likelihood, resolutions: bool = False
    ) -> None:
        """Keeps the parts that all have, after checking that the likelihood can take what the decoder gives.

        Args:
            encoder, decoder, likelihood: Those parts.
            resolutions: Whether the encoder may have several outputs.

        Raises:
            ZooError: One is no network, does not know its input shape, or they do not fit together.
        """
        self.encoder, self.decoder = encoder, decoder
        height, width, channels = known_shape(encoder, "encoder", "keras.Input((28, 28, 1))", rank=3)
        self._check_inputs()
        if not resolutions:
            known_output(encoder, "encoder", "residual_encoder gives one with resolutions=0 and hidden, its width.")
        self._image_shape = (height, width, channels)
        self.likelihood_layer = find_layer(likelihood, LIKELIHOODS, Likelihood, "likelihood")
        wanted = (height, width, self.likelihood_layer.parameters_for(channels))
        given = known_output(decoder, "decoder", "Give a decoder with one.")[1:]
        if given != wanted:
            remedy = "Give both networks images of one size."
            if given[:2] == wanted[:2]:
                remedy = (
                    f"Change the decoder's last layer: its channels are the likelihood's parameters_for({channels})."
                )
            raise ZooError(
                f"the decoder gives {list(given)}, but {type(self.likelihood_layer).__name__} for images "
                f"{list(self.image_shape)} needs {list(wanted)}. {remedy}"
            )

    def _check_inputs(self) -> None:
        for name, network in (("encoder", self.encoder), ("decoder", self.decoder)):
            check_takes_one(network, name, type(self).__name__, "ConditionalVAE")

    def _build_layers(self, layers: Iterable[tuple[keras.layers.Layer, Any]]) -> None:
        """Creates the weights of the likelihood, and of further layers for these shapes, where there are none yet."""
        for layer, shape in ((self.likelihood_layer, self.decoder.output_shape), *layers):
            if not layer.built:
                layer.build(shape)
                layer.built = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

    def _parameters(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Returns what the decoder says of the likelihood, float32."""
        return tf.cast(self.decoder(inputs, training=training), tf.float32)

    def check_content(self, images: np.ndarray) -> None:
        """Checks that the likelihood is one of such images.

        Raises:
            ZooError: It is not.
        """
        self.likelihood_layer.check(images)

    def content_is_good(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether the likelihood is one of such images, in a graph."""
        return self.likelihood_layer.supports(images)

    def run(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature, as in `GenerativeModel.run`; a bound is of images that the likelihood is one of.

        Raises:
            ZooError: As there, or they are others.
        """
        if name == "elbo" and isinstance(inputs.get("image"), np.ndarray):
            self.check_content(inputs["image"])
        return super().run(name, **inputs)

    def why_not_finite(self, names: list[str]) -> str:
        """Returns the likely causes, that the likelihood is not one of the pixels among them, and the remedies."""
        layer = self.likelihood_layer
        support = f" or off the support of {type(layer).__name__}: {layer.support}" if layer.support else ""
        return (
            f"Either pixels of that batch are NaN, outside [0, 1]{support}; or its labels are out of range, or its "
            f"sample weights negative or not finite; or else: {DIVERGED}"
        )

    def get_config(self) -> dict:
        """Returns the parts, serialized; a family adds its options."""
        parts = {name: getattr(self, attribute) for name, attribute in self.part_attributes.items()}
        serialized = {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
        return {**super().get_config(), **serialized, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Builds a model from `get_config`."""
        config = copy.deepcopy(config)  # Keras empties parts of what it deserializes
        built = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in cls.part_attributes
        }
        return cls(**{**config, **built})
