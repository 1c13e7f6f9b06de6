"""The conditional GAN: images of a class that is asked for. The discriminator learns of labels in one of three ways.

concatenation    it takes labels beside the image                        (Mirza and Osindero 2014)
projection       its logit has a product of features and class vector    (Miyato and Koyama 2018, equation 3)
classifier       it takes images alone, and tells their class as well    (Odena et al. 2017, section 3)
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import ZooError
from zoo.gan.gan import GAN
from zoo.networks.inputs import check_takes_one, known_classes
from zoo.signature import NamedTensor, Signature
from zoo.validation import check_positive


@keras.saving.register_keras_serializable(package="zoo")
class ConditionalGAN(GAN):
    """A GAN that is told the class: `fit(images, labels)`, `sample(n, seed, label=3)`.

    Args:
        generator: Maps [latents, one-hot labels [batch, num_classes]] to images in [0, 1], as
            `networks.dcgan_generator(..., num_classes=10)` does.
        discriminator: Maps [images, one-hot labels] to logits [batch, 1], by projection or concatenation; or images
            to two outputs, logits [batch, 1] and class logits [batch, num_classes].
        classifier_weight: Of the cross-entropy of the class, above 0, for a discriminator that tells it.
        **options: As in `GAN`, by name.

    Raises:
        ZooError: The networks do not fit together, or an option is out of its range.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        classifier_weight: float = 1.0,
        **options: Any,
    ):
        super().__init__(generator, discriminator, **options)
        self.classifier_weight = check_positive(classifier_weight, "classifier_weight")
        if not self.classifies and self.classifier_weight != 1.0:
            raise ZooError("classifier_weight is for a discriminator that tells the class: leave it out of this model.")

    def _check_inputs(self) -> None:
        owner = type(self).__name__
        self.num_classes = known_classes(self.generator, "generator", owner)
        outputs = self.discriminator.output_shape
        self.classifies = isinstance(outputs, list)
        if self.classifies:
            check_takes_one(self.discriminator, "discriminator that classifies", owner, "one output")
            told = outputs[-1][-1] if len(outputs) == 2 else None
        else:
            told = known_classes(self.discriminator, "discriminator", owner)
        if told != self.num_classes:
            raise ZooError(
                f"the generator takes labels of {self.num_classes} classes, but the discriminator's inputs and outputs "
                f"are {self.discriminator.input_shape} and {outputs}. Give both the same num_classes."
            )

    @property
    def _metric_names(self) -> tuple[str, ...]:
        return (*super()._metric_names, *(("class_loss",) if self.classifies else ()))

    def _with_labels(self, values: tf.Tensor, labels: tf.Tensor | None) -> list[tf.Tensor]:
        if labels is None:
            raise ZooError("a ConditionalGAN needs labels, integers [batch].")
        return [values, tf.one_hot(labels, self.num_classes)]

    def _verdict(self, images: tf.Tensor, labels: tf.Tensor | None, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.classifies:
            return super()._verdict(images, labels, training)
        logits, classes = self._logits_and_classes(images, training)
        return logits, tf.nn.sparse_softmax_cross_entropy_with_logits(labels, classes)

    def _logits_and_classes(self, images: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        logits, classes = self.discriminator(images, training=training)
        return tf.reshape(tf.cast(logits, tf.float32), [-1]), tf.cast(classes, tf.float32)

    def call(self, latents: Any, training: bool = False, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns images, as in `GAN`; also of (latents, labels), which is what `predict` can pass.

        Where a label is out of range they are NaN.
        """
        if labels is None and isinstance(latents, list | tuple):
            latents, labels = latents
        if labels is None:
            return super().call(latents, training, labels)
        labels = self._flat_labels(labels)
        return self._nan_unless_known(labels, super().call(latents, training, labels))

    def discriminate(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Returns "logit" [batch]; a discriminator that tells the class takes no labels, and returns "class_logit" too.

        Raises:
            ZooError: The images or labels are not as in `fit`.
        """
        if not self.classifies:
            return super().discriminate(images, labels)
        if labels is not None:
            raise ZooError("this discriminator tells the class and does not take it: leave labels out.")
        return self.run_in_batches("discriminate", image=self._checked_images(images, "images"))

    def signatures(self) -> dict[str, Signature]:
        """Returns `generate`, `sample` and `discriminate`, with labels."""
        signatures = super().signatures()
        if self.classifies:
            judge = signatures["discriminate"]
            classes = NamedTensor("class_logit", ("batch", self.num_classes or 0), description="large for its class")
            signatures["discriminate"] = Signature(
                judge.name, self._classify, judge.inputs[:1], (*judge.outputs, classes), description=judge.description
            )
        return signatures

    def _classify(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, classes = self._logits_and_classes(image, False)
        return {"logit": logits, "class_logit": classes}

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        return {**super().get_config(), "classifier_weight": self.classifier_weight}
