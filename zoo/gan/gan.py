"""The generative adversarial network (Goodfellow et al. 2014): a game of two networks.

    generator        G(z), images from latents z ~ Normal(0, 1)
    discriminator    D(x), a logit, large for images that look real

Each minimizes its half of a pair of losses; see `zoo.gan.game`. Neither says how good images are; see
`zoo.metrics` for that.

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
from zoo.gan.augmentation import AUGMENTATIONS
from zoo.gan.averaging import WeightAverage
from zoo.gan.game import Game
from zoo.gan.losses import LOSSES
from zoo.gan.penalties import PENALTIES, Penalty
from zoo.signature import COUNT, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor
from zoo.validation import check_count, check_latents, check_positive


@keras.saving.register_keras_serializable(package="zoo")
class GAN(Game):
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
        self.loss_name = _known(loss, LOSSES, "loss")
        self.adversarial = LOSSES[self.loss_name]
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
        self.averaged = WeightAverage(generator, self.add_weight, self.average)
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
        if self.label_smoothing and not self.adversarial.smoothable:
            known = ", ".join(name for name, pair in LOSSES.items() if pair.smoothable)
            raise ZooError(f"loss '{self.loss_name}' has no targets to smooth. Losses that have: {known}.")
        height, width, channels = images
        self.latent_size, self._image_shape = latent_size, (height, width, channels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

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

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        latents = temperature * random.normal([n, self.latent_size], seed).numpy()
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
        outputs = self.averaged(latents) if self.average else self.generator(latents, training=False)
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
            "loss": self.loss_name,
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
