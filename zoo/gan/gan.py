"""The generative adversarial network (Goodfellow et al. 2014): a game of two networks.

    generator        G(z), images from latents z ~ Normal(0, 1)
    discriminator    D(x), a logit, large for images that look real

    the discriminator minimizes  L_D(D(x), D(G(z))) + penalties on its gradient
    the generator     minimizes  L_G(D(x), D(G(z)))

with a pair of losses from `zoo.gan.losses`. Neither loss says how good images are; see `zoo.metrics` for that.

Shapes: x is [batch, height, width, channels] in [0, 1], z is [batch, latent_size], logits are [batch].
"""

import copy
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import Self

from zoo import random
from zoo.errors import ZooError, near_miss
from zoo.gan.augmentation import AUGMENTATIONS, augment
from zoo.gan.averaging import WeightAverage
from zoo.gan.losses import LOSSES, smoothed
from zoo.gan.penalties import PENALTIES, Penalty
from zoo.model import TRAINING, GenerativeModel, stopped_unless
from zoo.signature import COUNT, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor
from zoo.validation import check_count, check_latents, check_positive, check_seed

_LEARNING_RATE, _BETA_1 = 2e-4, 0.5  # Radford et al. (2016), section 4


@keras.saving.register_keras_serializable(package="zoo")
class GAN(GenerativeModel):
    """A GAN from any two Keras networks.

    Args:
        generator: Maps latents [batch, latent_size] to images [batch, height, width, channels] in [0, 1].
        discriminator: Maps images to logits [batch, 1] or [batch]. No final activation.
        loss: "non_saturating", "minimax", "least_squares", "hinge", "wasserstein" or "relativistic".
        penalties: On the gradient of the discriminator: "r1", "r2", "gradient_penalty", or `Penalty` objects.
        discriminator_steps: Steps of the discriminator for each of the generator. A batch is dealt out among them.
        average: The momentum of the average of the generator's weights, which is what samples and is exported; 0
            for the weights themselves.
        augmentation: What images suffer before the discriminator sees them: some of "color", "translation" and
            "cutout", in order.
        label_smoothing: How far the target of real images lies below 1, in [0, 1).
        weight_clip: The largest absolute value of a weight of the discriminator (Arjovsky et al. 2017), or None.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The networks do not fit together, a name is not known, or a number is out of its range.

    Example:
        >>> model = GAN(networks.dcgan_generator((28, 28, 1)), networks.dcgan_discriminator((28, 28, 1)))
        >>> model.compile()
        >>> model.fit(images, epochs=20)
        >>> model.sample(64, seed=0).shape
        (64, 28, 28, 1)
    """

    objective_names = ("loss", "generator_loss", "discriminator_loss", "penalty", "real_accuracy", "fake_accuracy")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        loss: str = "non_saturating",
        penalties: Sequence[str | Penalty] = (),
        discriminator_steps: int = 1,
        average: float = 0.999,
        augmentation: Sequence[str] = (),
        label_smoothing: float = 0.0,
        weight_clip: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.adversarial_loss = _known(loss, LOSSES, "loss")
        self.penalties = [
            penalty if isinstance(penalty, Penalty) else PENALTIES[_known(penalty, PENALTIES, "penalty")]()
            for penalty in penalties
        ]
        self.augmentation = [_known(name, AUGMENTATIONS, "augmentation") for name in augmentation]
        self.discriminator_steps = check_count(discriminator_steps, "discriminator_steps")
        self.average = _check_share(average, "average")
        self.label_smoothing = _check_share(label_smoothing, "label_smoothing")
        self.weight_clip = None if weight_clip is None else check_positive(weight_clip, "weight_clip")
        self._check_parts()
        self._averaged = WeightAverage(generator, self.add_weight, self.average)
        self.built = True

    def _check_parts(self) -> None:
        (latent_size,), images = _sizes(self.generator, "generator", 1), _sizes(self.discriminator, "discriminator", 3)
        if tuple(self.generator.output_shape[1:]) != images:
            raise ZooError(
                f"the generator gives images {list(self.generator.output_shape[1:])} and the discriminator takes "
                f"{list(images)}. Give both the same."
            )
        if tuple(self.discriminator.output_shape[1:]) not in ((), (1,)):
            raise ZooError(f"the discriminator gives {self.discriminator.output_shape}, expected one logit an image.")
        if self.label_smoothing and not self._loss.smoothable:
            known = ", ".join(name for name, pair in LOSSES.items() if pair.smoothable)
            raise ZooError(f"loss '{self.adversarial_loss}' has no targets to smooth. Losses that have: {known}.")
        height, width, channels = images
        self.latent_size, self._image_shape = latent_size, (height, width, channels)

    @property
    def _loss(self) -> Any:
        return LOSSES[self.adversarial_loss]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

    # Training.

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
        self._averaged.update(step)
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
            real_logits = self._judge(images, labels, seed, True) if self._loss.compares else fake_logits
            loss = self._loss.generator(real_logits, fake_logits)
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
        loss = self._loss.discriminator
        loss = smoothed(loss, self.label_smoothing) if self.label_smoothing else loss
        boundary = self._loss.boundary
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
        generator_loss = self._loss.generator(real_logits, fake_logits)
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

    # The verbs.

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns images [batch, height, width, channels] in [0, 1] of latents [batch, latent_size]."""
        return self._images(latents)

    def generate(self, latents: np.ndarray) -> np.ndarray:
        """Returns the images of latents [batch, latent_size], float32 in [0, 1].

        Raises:
            ZooError: The latents have another shape, or hold values that are not finite.
        """
        return self.run_in_batches("generate", latent=check_latents(latents, self.latent_size))["image"]

    def sample(self, n: int, seed: int = 0, label: Any = None, temperature: float = 1.0) -> np.ndarray:
        """Draws images.

        The same `n` and `seed` give the same images here, from the exported SavedModel and from ONNX.

        Args:
            n: How many, at least 1.
            seed: An integer in [0, 2**63).
            label: None; the model is not conditional.
            temperature: Above 0. The standard deviation of the latents: below 1 images are more typical and less
                varied.

        Returns:
            float32 [n, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is out of its range, or a label is given.
        """
        n, seed = check_count(n, "n"), check_seed(seed)
        self._refuse_label(label)
        latents = check_positive(temperature, "temperature") * random.normal([n, self.latent_size], seed).numpy()
        return self.run_in_batches("generate", latent=latents)["image"]

    # Export and serialization.

    def signatures(self) -> dict[str, Signature]:
        """Returns `generate`, `sample` and `discriminate`."""
        image, drawn = image_tensor("image", self.image_shape), image_tensor("image", self.image_shape, "n")
        latent = NamedTensor("latent", ("batch", self.latent_size), description="standard Normal noise")
        logit = NamedTensor("logit", ("batch",), description="large for images that look real")
        signatures = (
            Signature("generate", self._generate_signature, (latent,), (image,), description="Latent to image."),
            Signature("sample", self._sample, (SEED, COUNT, TEMPERATURE), (drawn,), description="New images."),
            Signature("discriminate", self._discriminate, (image,), (logit,), description="How real images look."),
        )
        return {signature.name: signature for signature in signatures}

    def _images(self, latents: tf.Tensor) -> tf.Tensor:
        outputs = self._averaged(latents) if self.average else self.generator(latents, training=False)
        return tf.clip_by_value(tf.cast(outputs, tf.float32), 0.0, 1.0)

    def _generate_signature(self, latent: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": self._images(latent)}

    def _sample(self, seed: tf.Tensor, n: tf.Tensor, temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        latents = random.normal(tf.stack([tf.cast(n, tf.int32), self.latent_size]), seed)
        return {"image": self._images(temperature * tf.ensure_shape(latents, [None, self.latent_size]))}

    def _discriminate(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logit": self._logits(image, None, False)}

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        names = ("discriminator_steps", "average", "augmentation", "label_smoothing", "weight_clip", "seed")
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "generator": serialize(self.generator),
            "discriminator": serialize(self.discriminator),
            "loss": self.adversarial_loss,
            "penalties": [serialize(penalty) for penalty in self.penalties],
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Builds a model from `get_config`."""

        def build(part: Any) -> Any:
            return keras.saving.deserialize_keras_object(part, custom_objects=custom_objects)

        config = copy.deepcopy(config)  # Keras empties parts of what it deserializes
        networks = {name: build(config[name]) for name in ("generator", "discriminator")}
        return cls(**{**config, **networks, "penalties": [build(penalty) for penalty in config["penalties"]]})

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


_LATENTS, _AUGMENTATION, _PENALTY = 0, 1, 2  # purposes of noise; penalties are numbered on


def _known(name: str, known: Any, what: str) -> str:
    if name not in known:
        raise ZooError(f"unknown {what} '{name}'. Known: {', '.join(known)}.{near_miss(str(name), known)}")
    return name


def _check_share(value: Any, name: str) -> float:
    value = check_positive(value, name, or_zero=True)
    if value >= 1:
        raise ZooError(f"{name} is {value!r}, expected at least 0 and below 1.")
    return value


def _sizes(network: Any, name: str, rank: int) -> tuple[int, ...]:
    if not isinstance(network, keras.Model):
        raise ZooError(f"the {name} is a {type(network).__name__}, expected a Keras model.")
    shape = tuple(network.input_shape[1:])
    if len(shape) != rank or None in shape:
        raise ZooError(
            f"the {name} takes inputs {list(network.input_shape)}, expected {rank} known sizes after the batch."
        )
    return shape
