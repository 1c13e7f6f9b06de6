"""A classifier of images, by which what models draw is judged."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import Self

from zoo import presets
from zoo.backend import require_keras_on_tensorflow
from zoo.errors import ZooError, a_kind
from zoo.signature import NamedTensor, Signature, image_tensor
from zoo.validation import check_count, check_images

require_keras_on_tensorflow()

_BATCH = 256


@keras.saving.register_keras_serializable("zoo")
class Classifier(keras.Model):
    """A Keras model from images to the logits of classes, with the features below them.

    Compile it as any Keras classifier, with `keras.losses.SparseCategoricalCrossentropy(from_logits=True)`.

    Args:
        network: From images [batch, height, width, channels], in [0, 1], to features [batch, features].
        num_classes: How many classes there are, at least 2.

    Raises:
        ZooError: There are fewer than two classes.
    """

    def __init__(self, network: keras.Model, num_classes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.network = network
        self.num_classes = check_count(num_classes, "num_classes", 2)
        self.logits_layer = keras.layers.Dense(num_classes, dtype="float32", name="logits")
        self.logits_layer.build(network.output_shape)
        self.built = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return tuple(self.network.input_shape[1:])

    def call(self, images: Any, training: bool = False) -> Any:
        """Returns logits [batch, num_classes], float32."""
        return self.logits_layer(self.network(images, training=training))

    def logits(self, images: Any) -> np.ndarray:
        """Returns logits, float32 [n, num_classes], of images [n, height, width, channels] in [0, 1]."""
        return self._in_batches(self, images)

    def features(self, images: Any) -> np.ndarray:
        """Returns the features below the logits, float32 [n, features], of images in [0, 1]."""
        return self._in_batches(self.network, images)

    def _in_batches(self, network: Any, images: Any) -> np.ndarray:
        images = check_images(images, self.image_shape)
        return np.asarray(network.predict(images, batch_size=_BATCH, verbose=0), np.float32)

    def signatures(self) -> dict[str, Signature]:
        """Returns `classify` and `features`, the functions to export."""
        image = image_tensor("image", self.image_shape)
        known = NamedTensor("probability", ("batch", self.num_classes), description="of each class")
        seen = NamedTensor("feature", ("batch", self.network.output_shape[-1]))
        return {
            "classify": Signature("classify", self._classify, (image,), (known,), description="What an image is of."),
            "features": Signature("features", self._features, (image,), (seen,), description="What it is told by."),
        }

    def _classify(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probability": tf.nn.softmax(self(image, training=False))}

    def _features(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"feature": tf.cast(self.network(image, training=False), tf.float32)}

    @classmethod
    def from_preset(cls, name: str | Path) -> Self:
        """Loads a pretrained classifier.

        Args:
            name: A preset such as "classifier_mnist", or a folder written by `zoo.presets.save_to_preset`.

        Raises:
            ZooError: There is no such preset, it is no classifier, or a file is missing or altered.
        """
        model = presets.load(name)
        if not isinstance(model, cls):
            raise ZooError(f"preset '{name}' is {a_kind(model)}, not a {cls.__name__}: use zoo.from_preset.")
        return model

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, serialized."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "num_classes": self.num_classes}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> Self:
        """Builds a classifier from `get_config`."""
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})
