"""The game of a GAN: the steps of its two networks, against each other.

    the discriminator minimizes  L_D(D(x), D(G(z))) + penalties on its gradient
    the generator     minimizes  L_G(D(x), D(G(z)))

Shapes: x is [batch, height, width, channels] in [0, 1], z is [batch, latent_size], logits are [batch].
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.callbacks import stopped_unless
from zoo.errors import ZooError
from zoo.gan.augmentation import augment
from zoo.gan.averaging import WeightAverage
from zoo.gan.losses import AdversarialLoss, smoothed
from zoo.gan.penalties import Penalty
from zoo.model import TRAINING, GenerativeModel

_LEARNING_RATE, _BETA_1 = 2e-4, 0.5  # Radford et al. (2016), section 4
_LATENTS, _AUGMENTATION, _PENALTY = 0, 1, 2  # purposes of noise; penalties are numbered on


class Game(GenerativeModel):
    """The training of two networks against each other. A family sets the attributes below.

    Attributes:
        generator, discriminator: The networks.
        adversarial: What each of them minimizes.
        penalties: On the gradient of the discriminator.
        averaged: The average of the generator's weights.
    """

    objective_names = ("loss", "generator_loss", "discriminator_loss", "penalty", "real_accuracy", "fake_accuracy")

    generator: keras.Model
    discriminator: keras.Model
    adversarial: AdversarialLoss
    penalties: Sequence[Penalty]
    averaged: WeightAverage
    augmentation: Sequence[str]
    latent_size: int
    discriminator_steps: int
    label_smoothing: float
    weight_clip: float | None

    def compile(self, generator_optimizer: Any = None, discriminator_optimizer: Any = None, **kwargs: Any) -> None:
        """Configures training; both optimizers are Adam with 0.0002 and beta_1 0.5 by default.

        Args:
            generator_optimizer: A Keras optimizer or its name.
            discriminator_optimizer: Another; they may not be one object.
            **kwargs: As in `keras.Model.compile`: `jit_compile`, `steps_per_execution`.

        Raises:
            ZooError: A `loss`, metrics or a single `optimizer` are given, or both optimizers are one object.
        """
        if "optimizer" in kwargs:
            raise ZooError("a GAN has two optimizers: compile(generator_optimizer=..., discriminator_optimizer=...).")
        if generator_optimizer is not None and generator_optimizer is discriminator_optimizer:
            raise ZooError("both optimizers are one object, which keeps the state of one network only: give two.")
        generator_optimizer, discriminator_optimizer = (
            keras.optimizers.Adam(_LEARNING_RATE, _BETA_1) if given is None else keras.optimizers.get(given)
            for given in (generator_optimizer, discriminator_optimizer)
        )
        super().compile(optimizer=generator_optimizer, **kwargs)
        self.discriminator_optimizer = discriminator_optimizer
        self.optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes the discriminator's steps on a batch, and then one of the generator."""
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        labels, good = self._checked_tensors(images, labels)
        seed, step = self._step_seed(self.optimizer.iterations, TRAINING), self.optimizer.iterations
        part, of_part, values = images, labels, {}
        for turn in range(self.discriminator_steps):
            dealt = slice(turn, None, self.discriminator_steps)
            part, of_part = images[dealt], None if labels is None else labels[dealt]
            values = self._update_discriminator(part, of_part, random.fold_in(seed, turn))
        values |= self._update_generator(part, of_part, random.fold_in(seed, self.discriminator_steps))
        self.averaged.update(step)
        values["loss"] = stopped_unless(good, values["generator_loss"] + values["discriminator_loss"])
        return self._update_metrics(values, None)

    def _update_discriminator(self, images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor) -> dict:
        fakes = tf.stop_gradient(self._generate(images, labels, seed, True))
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            real_logits, fake_logits = (self._judge(each, labels, seed, True) for each in (images, fakes))
            values = self._discriminator_values(real_logits, fake_logits)
            scaled = self._scaled(values["discriminator_loss"], self.discriminator_optimizer)
        gradients: Any = tape.gradient(scaled, variables)
        penalty = tf.zeros([])
        for index in range(len(self.penalties)):
            found, more = self._penalty(index, images, fakes, labels, seed)
            gradients = [one + other for one, other in zip(gradients, more, strict=True)]
            penalty += found
        self._apply(self.discriminator_optimizer, gradients, variables)
        if self.weight_clip is not None:
            for variable in variables:
                variable.assign(tf.clip_by_value(variable, -self.weight_clip, self.weight_clip))
        return {**values, "penalty": penalty + tf.zeros_like(real_logits)}

    def _update_generator(self, images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor) -> dict:
        variables = self.generator.trainable_variables
        with tf.GradientTape() as tape:
            fake_logits = self._judge(self._generate(images, labels, seed, True), labels, seed, True)
            real_logits = self._judge(images, labels, seed, True) if self.adversarial.compares else fake_logits
            loss = self.adversarial.generator(real_logits, fake_logits)
            scaled = self._scaled(loss, self.optimizer)
        self._apply(self.optimizer, tape.gradient(scaled, variables), variables)
        return {"generator_loss": loss}

    def _scaled(self, loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        # `tf.distribute` adds the gradients of its replicas up.
        return optimizer.scale_loss(tf.reduce_mean(loss) / tf.distribute.get_strategy().num_replicas_in_sync)

    @staticmethod
    def _apply(optimizer: keras.optimizers.Optimizer, gradients: list, variables: list) -> None:
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    def _penalty(
        self, index: int, images: tf.Tensor, fakes: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the mean of a penalty and its gradients, all 0 where it is not due."""
        penalty, variables = self.penalties[index], self.discriminator.trainable_variables

        # The tape is inside: XLA has no gradient of a branch.
        def due() -> tuple[tf.Tensor, list[tf.Tensor]]:
            with tf.GradientTape() as tape:
                noise = random.fold_in(seed, _PENALTY + index)
                found = penalty(lambda each: self._judge(each, labels, seed, True), images, fakes, noise)
                scaled = self._scaled(penalty.every * found, self.discriminator_optimizer)
            # A bias may have no part in the gradient.
            values, zero = [variable.value for variable in variables], tf.UnconnectedGradients.ZERO
            gradients: Any = tape.gradient(scaled, values, unconnected_gradients=zero)
            return penalty.every * tf.reduce_mean(found), gradients

        def not_due() -> tuple[tf.Tensor, list[tf.Tensor]]:
            return tf.zeros([]), [tf.zeros(variable.shape) for variable in variables]

        if penalty.every == 1:
            return due()
        return tf.cond(self.discriminator_optimizer.iterations % penalty.every == 0, due, not_due)

    def _discriminator_values(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> dict[str, tf.Tensor]:
        loss = self.adversarial.discriminator
        loss = smoothed(loss, self.label_smoothing) if self.label_smoothing else loss
        boundary = self.adversarial.boundary
        return {
            "discriminator_loss": loss(real_logits, fake_logits),
            "real_accuracy": tf.cast(real_logits > boundary, tf.float32),
            "fake_accuracy": tf.cast(fake_logits < boundary, tf.float32),
        }

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the losses and accuracies on a batch, without augmentation and penalties, each [batch].

        On images that training has not seen, a "real_accuracy" well below that in training says that the
        discriminator knows its images by heart.
        """
        fakes = self._generate(images, labels, seed, False)
        real_logits, fake_logits = (self._logits(each, labels, False) for each in (images, fakes))
        values = self._discriminator_values(real_logits, fake_logits)
        generator_loss = self.adversarial.generator(real_logits, fake_logits)
        return {
            **values,
            "generator_loss": generator_loss,
            "penalty": tf.zeros_like(generator_loss),
            "loss": generator_loss + values["discriminator_loss"],
        }

    def _generate(self, images: tf.Tensor, labels: tf.Tensor | None, seed: random.Seed, training: bool) -> tf.Tensor:
        """Returns as many new images as are given, float32, from the generator as it is."""
        latents = random.normal(tf.stack([tf.shape(images)[0], self.latent_size]), random.fold_in(seed, _LATENTS))
        return tf.cast(self.generator(self._with_labels(latents, labels), training=training), tf.float32)

    def _judge(self, images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns the logits of images as the discriminator sees them."""
        seen = augment(images, self.augmentation, random.fold_in(seed, _AUGMENTATION))
        return self._logits(seen, labels, training)

    def _logits(self, images: tf.Tensor, labels: tf.Tensor | None, training: bool) -> tf.Tensor:
        logits = self.discriminator(self._with_labels(images, labels), training=training)
        return tf.reshape(tf.cast(logits, tf.float32), [-1])

    def _with_labels(self, values: tf.Tensor, labels: tf.Tensor | None) -> Any:
        """Returns what a network takes: the values alone, for a model without labels."""
        return values

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns both optimizers and the options of `compile`, serialized."""
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(self.optimizer),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            "jit_compile": self.jit_compile,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict) -> None:
        """Compiles as before saving."""
        self.compile(**keras.saving.deserialize_keras_object(config))
