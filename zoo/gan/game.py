"""The game of a GAN: the steps of its two networks, against each other.

    the discriminator minimizes  L_D(D(x), D(G(z))) + penalties on its gradient
    the generator     minimizes  L_G(D(x), D(G(z)))

A discriminator that classifies as well adds the cross-entropy of the labels to both.

Shapes: x is [batch, height, width, channels] in [0, 1], z is [batch, latent_size], logits are [batch].
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.callbacks import stopped_unless
from zoo.errors import ZooError
from zoo.gan import monitors
from zoo.gan.augmentation import augment
from zoo.gan.averaging import WeightAverage
from zoo.gan.losses import AdversarialLoss, smoothed
from zoo.gan.penalties import Penalty
from zoo.model import GenerativeModel
from zoo.training import TRAINING, batches_taken, check_optimizer

_LEARNING_RATE, _BETA_1 = 2e-4, 0.5  # Radford et al. (2016), section 4
RANGE_ROUNDING = 1e-3
_WEIGHS_NONE = "a GAN weighs no images: leave sample_weight out."
_LATENTS, _AUGMENTATION, _REAL, _FAKE, _PENALTY = range(5)  # purposes of noise; penalties are numbered on


class Game(GenerativeModel):
    """The training of two networks against each other. A family sets the attributes below.

    Attributes:
        generator, discriminator: The networks.
        adversarial: What each of them minimizes.
        penalties: On the gradient of the discriminator.
        averaged: The average of the generator's weights, where there is one.
        classifier_weight: Of the cross-entropy of labels, which is 0 where the discriminator does not classify.
    """

    objective_names = (
        "loss",
        "generator_loss",
        "discriminator_loss",
        "real_accuracy",
        "fake_accuracy",
        "separation",
        "diversity",
        "update_ratio",
    )

    generator: keras.Model
    discriminator: keras.Model
    adversarial: AdversarialLoss
    penalties: Sequence[Penalty]
    averaged: WeightAverage | None
    augmentation: Sequence[str]
    latent_size: int
    discriminator_steps: int
    label_smoothing: float
    weight_clip: float | None
    classifier_weight: float = 0.0

    def compile(self, generator_optimizer: Any = None, discriminator_optimizer: Any = None, **kwargs: Any) -> None:
        """Configures training; both optimizers are Adam with 0.0002 and beta_1 0.5 by default.

        Args:
            generator_optimizer: A Keras optimizer or its name. Callbacks that change a learning rate change that of
                this one alone: give both optimizers a schedule of `keras.optimizers.schedules` instead.
            discriminator_optimizer: Another; they may not be one object.
            **kwargs: As in `keras.Model.compile`: `jit_compile`, `steps_per_execution`.

        Raises:
            ZooError: A `loss`, metrics or a single `optimizer` are given, there is no such optimizer, both are one
                object, or a network has no weights to train.
        """
        if "optimizer" in kwargs:
            raise ZooError("a GAN has two optimizers: compile(generator_optimizer=..., discriminator_optimizer=...).")
        same = generator_optimizer is discriminator_optimizer
        if same and isinstance(generator_optimizer, keras.optimizers.Optimizer):
            raise ZooError("both optimizers are one object, which keeps the state of one network only: give two.")
        for optimizer in (generator_optimizer, discriminator_optimizer):
            check_optimizer(optimizer)
        for name, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            if not network.trainable_variables:
                raise ZooError(f"the {name} has no weights to train: is its `trainable` False?")
        generator_optimizer, discriminator_optimizer = (
            keras.optimizers.Adam(_LEARNING_RATE, _BETA_1) if given is None else keras.optimizers.get(given)
            for given in (generator_optimizer, discriminator_optimizer)
        )
        super().compile(optimizer=generator_optimizer, **kwargs)
        scales = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        if scales and not isinstance(discriminator_optimizer, keras.optimizers.LossScaleOptimizer):
            # Keras does the same with the optimizer that it knows, in mixed_float16.
            discriminator_optimizer = keras.optimizers.LossScaleOptimizer(discriminator_optimizer)
        self.discriminator_optimizer = discriminator_optimizer
        self.optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes the discriminator's steps on a batch, and then one of the generator."""
        images, labels, good = self._unpacked(data)
        seed, step, turns = self._step_seed(batches_taken(self.optimizer), TRAINING), self.optimizer.iterations, []
        for turn in range(self.discriminator_steps):
            part = dealt(images, turn, self.discriminator_steps)
            of_part = None if labels is None else dealt(labels, turn, self.discriminator_steps)
            turns.append(self._update_discriminator(part, of_part, random.fold_in(seed, turn)))
        values = mean_of_turns(turns)
        values |= self._update_generator(part, of_part, random.fold_in(seed, self.discriminator_steps))
        if self.averaged is not None:
            self.averaged.update(step)
        values["update_ratio"] = tf.math.divide_no_nan(values["generator_change"], values["discriminator_change"])
        loss = values["generator_loss"] + values["discriminator_loss"] + sum(self.losses)
        values["loss"] = stopped_unless(good & tf.math.is_finite(values["diversity"]), loss)
        # One value an image, so that a short last batch counts for as much as it is.
        rows = tf.zeros(tf.shape(images)[:1])
        return self._update_metrics({name: mean_of(value) + rows for name, value in values.items()}, None)

    def _unpacked(self, data: Any) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]:
        """Returns images, labels, and whether they are in their ranges; images that are not would ruin the weights."""
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ZooError(_WEIGHS_NONE)
        labels, good = self._checked_tensors(images, labels)
        labels = None if labels is None else tf.where(good, labels, tf.zeros_like(labels))
        images = tf.where(good, images, tf.zeros_like(images))
        return images, labels, good

    def _check_weights(self, images: Any, options: dict[str, Any]) -> None:
        if options.get("sample_weight") is not None:
            raise ZooError(_WEIGHS_NONE)

    def count_params(self) -> int:
        """Returns the number of parameters of both networks, without the average, which is a copy."""
        return self.generator.count_params() + self.discriminator.count_params()

    def _update_discriminator(self, images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor) -> dict:
        fakes = tf.stop_gradient(self._generate(images, labels, seed, True))
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            (real_logits, real_classes), (fake_logits, fake_classes) = self._judge_both(images, fakes, labels, seed)
            values = self._discriminator_values(real_logits, fake_logits)
            loss = values["discriminator_loss"] + self.classifier_weight * (real_classes + fake_classes)
            scaled = self._scaled(loss + sum(self.discriminator.losses), self.discriminator_optimizer)
        gradients: Any = tape.gradient(scaled, variables)
        for index, penalty in enumerate(self.penalties):
            found, more = self._penalty(index, images, fakes, labels, seed)
            gradients = [other if one is None else one + other for one, other in zip(gradients, more, strict=True)]
            values[penalty.name] = stopped_unless(are_finite(more), found)
        change = self._apply(self.discriminator_optimizer, gradients, variables)
        if self.weight_clip is not None:
            for variable in variables:
                variable.assign(tf.clip_by_value(variable, -self.weight_clip, self.weight_clip))
        # Images outside [0, 1] count as broken; the sigmoid of a network in half precision rounds.
        inside = tf.reduce_all((fakes >= -RANGE_ROUNDING) & (fakes <= 1 + RANGE_ROUNDING))
        spread = stopped_unless(inside, monitors.diversity(fakes, images))
        class_loss = stopped_unless(are_finite([self.classifier_weight * (real_classes + fake_classes)]), real_classes)
        return {**values, "class_loss": class_loss, "diversity": spread, "discriminator_change": change}

    def _update_generator(self, images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor) -> dict:
        variables = self.generator.trainable_variables
        with tf.GradientTape() as tape:
            fakes = self._generate(images, labels, seed, True)
            if self.adversarial.compares:
                (real_logits, _), (fake_logits, classes) = self._judge_both(images, fakes, labels, seed)
            else:
                fake_logits, classes = self._judge(fakes, labels, seed, True)
                real_logits = fake_logits
            loss = self.adversarial.generator(real_logits, fake_logits)
            loss_and_more = loss + self.classifier_weight * classes + sum(self.generator.losses)
            scaled = self._scaled(loss_and_more, self.optimizer)
        change = self._apply(self.optimizer, tape.gradient(scaled, variables), variables)
        return {"generator_loss": loss, "generator_change": change}

    def _scaled(self, loss: tf.Tensor, optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
        # `tf.distribute` adds the gradients of its replicas up.
        return optimizer.scale_loss(tf.reduce_mean(loss) / tf.distribute.get_strategy().num_replicas_in_sync)

    @staticmethod
    def _apply(optimizer: keras.optimizers.Optimizer, gradients: Any, variables: list) -> tf.Tensor:
        """Takes a step, and returns its length over that of the weights."""
        before = [tf.identity(variable) for variable in variables]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return monitors.relative_change(before, variables)

    def _penalty(
        self, index: int, images: tf.Tensor, fakes: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the mean of a penalty and its gradients, all 0 where it is not due."""
        penalty, variables = self.penalties[index], self.discriminator.trainable_variables

        # The tape is inside: XLA has no gradient of a branch.
        def due() -> tuple[tf.Tensor, list[tf.Tensor]]:
            with tf.GradientTape() as tape:
                noise = random.fold_in(seed, _PENALTY + index)
                found = penalty(lambda each: self._judge(each, labels, seed, True)[0], images, fakes, noise)
                scaled = self._scaled(penalty.every * found, self.discriminator_optimizer)
            # A bias may have no part in the gradient.
            values, zero = [variable.value for variable in variables], tf.UnconnectedGradients.ZERO
            gradients: Any = tape.gradient(scaled, values, unconnected_gradients=zero)
            return penalty.every * tf.reduce_mean(found), gradients

        def not_due() -> tuple[tf.Tensor, list[tf.Tensor]]:
            return tf.zeros([]), [tf.zeros(variable.shape, variable.dtype) for variable in variables]

        if penalty.every == 1:
            return due()
        return tf.cond(self.discriminator_optimizer.iterations % penalty.every == 0, due, not_due)

    def _discriminator_values(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> dict[str, tf.Tensor]:
        loss = self.adversarial.discriminator
        loss = smoothed(loss, self.label_smoothing) if self.label_smoothing else loss
        real, fake = monitors.accuracies(self.adversarial, real_logits, fake_logits)
        return {
            "discriminator_loss": loss(real_logits, fake_logits),
            "real_accuracy": real,
            "fake_accuracy": fake,
            "separation": monitors.separation(real_logits, fake_logits),
        }

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the losses, accuracies and the diversity on a batch, each [batch].

        Both networks are as in training, batch statistics and augmentation with them, so that the two compare: on
        images that training has not seen, a "separation" well below that in training says that the discriminator knows
        its images by heart.
        """
        with keras.StatelessScope():  # what layers learn of a batch they see is forgotten
            fakes = self._generate(images, labels, seed, True)
            (real_logits, classes), (fake_logits, _) = self._judge_both(images, fakes, labels, seed)
        values = self._discriminator_values(real_logits, fake_logits)
        generator_loss = self.adversarial.generator(real_logits, fake_logits)
        return {
            **values,
            "generator_loss": generator_loss,
            "class_loss": classes,
            "diversity": monitors.diversity(fakes, images) + tf.zeros_like(generator_loss),
            "loss": generator_loss + values["discriminator_loss"],
        }

    def why_not_finite(self, names: list[str]) -> str:
        """Returns which network broke first, and by which term. They come in the order in which a step takes them."""
        lower = "Lower its learning rate, or clip its gradients (optimizer argument global_clipnorm)"
        lower += "." if self.penalties else ", or hold the discriminator with a penalty such as R1."
        terms = {
            "diversity": (
                "The generator broke first: its images are not finite, or leave [0, 1], where a sigmoid keeps them. "
                f"{lower}"
            ),
            "discriminator_loss": f"The discriminator broke first: its loss is not finite. {lower}",
            "class_loss": "The discriminator broke first, in class_loss. Lower classifier_weight.",
        }
        for penalty in self.penalties:
            terms[penalty.name] = f"The discriminator broke first, in the penalty {penalty.name}. Lower its weight."
        step = "a step was too large, or its gradient not finite"
        terms["generator_loss"] = f"The discriminator broke first: {step}. {lower}"
        terms["update_ratio"] = f"The generator broke first: {step}. {lower}"
        found = [text for name, text in terms.items() if name in names]
        if not found:
            labels = "" if self.num_classes is None else ", or its labels out of range"
            return f"Pixels of that batch are NaN or outside [0, 1]{labels}."
        return found[0]

    def _generate(self, images: tf.Tensor, labels: tf.Tensor | None, seed: random.Seed, training: bool) -> tf.Tensor:
        """Returns as many new images as are given, float32, from the generator as it is."""
        latents = random.normal(tf.stack([tf.shape(images)[0], self.latent_size]), random.fold_in(seed, _LATENTS))
        return tf.cast(self.generator(self._with_labels(latents, labels), training=training), tf.float32)

    def _judge_both(
        self, images: tf.Tensor, fakes: tf.Tensor, labels: tf.Tensor | None, seed: random.Seed
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Returns the verdicts on real and on generated images, each changed in ways of its own."""
        first, second = (random.fold_in(seed, purpose) for purpose in (_REAL, _FAKE))
        return self._judge(images, labels, first, True), self._judge(fakes, labels, second, True)

    def _judge(
        self, images: tf.Tensor, labels: tf.Tensor | None, seed: random.Seed, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the verdict on images as the discriminator sees them."""
        return self._verdict(augment(images, self.augmentation, random.fold_in(seed, _AUGMENTATION)), labels, training)

    def _verdict(self, images: tf.Tensor, labels: tf.Tensor | None, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns logits [batch], and the cross-entropy of the labels [batch], 0 without a classifier."""
        logits = self.discriminator(self._with_labels(images, labels), training=training)
        logits = tf.reshape(tf.cast(logits, tf.float32), [-1])
        return logits, tf.zeros_like(logits)

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
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config: dict) -> None:
        """Compiles as before saving."""
        self.compile(**keras.saving.deserialize_keras_object(config))


def dealt(values: tf.Tensor, turn: int, turns: int) -> tf.Tensor:
    """Returns the rows of one turn, every so many-th of a batch; a batch with fewer rows than turns begins anew."""
    if turns == 1:
        return values
    count = tf.shape(values)[0]
    rows = turn + turns * tf.range((count + turns - 1) // turns)
    return tf.gather(values, rows % count)


def mean_of_turns(turns: Sequence[dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """Returns the mean of each value over the discriminator's turns on a batch, scalars.

    After a turn with a value that is not finite all are: later ones count as 0, so that what broke first is told.
    """
    totals, alive = dict.fromkeys(turns[0], tf.zeros([])), tf.constant(True)
    for values in turns:
        means = {name: mean_of(value) for name, value in values.items()}
        totals = {name: totals[name] + tf.where(alive, mean, 0.0) for name, mean in means.items()}
        alive &= tf.reduce_all([tf.math.is_finite(mean) for mean in means.values()])
    return {name: total / len(turns) for name, total in totals.items()}


def are_finite(values: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns whether no number in any of the tensors is NaN or infinite, a scalar."""
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(value)) for value in values])


def mean_of(values: tf.Tensor) -> tf.Tensor:
    """Returns the mean of values [batch], 0 of an empty batch, as a replica may get."""
    return tf.math.divide_no_nan(tf.reduce_sum(values), tf.cast(tf.size(values), values.dtype))
