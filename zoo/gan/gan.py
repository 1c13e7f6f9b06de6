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
from zoo.errors import ZooError
from zoo.gan.augmentation import AUGMENTATIONS
from zoo.gan.averaging import WeightAverage
from zoo.gan.compatibility import check_game
from zoo.gan.game import RANGE_ROUNDING, Game
from zoo.gan.inversion import Projection, descent, project
from zoo.gan.losses import LOSSES
from zoo.gan.penalties import PENALTIES, Penalty
from zoo.networks.inputs import check_takes_one, known_output, known_shape
from zoo.paths import check_ends, spherical
from zoo.signature import COUNT, FIRST, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor, label_tensor
from zoo.validation import check_choice, check_count, check_latents, check_list, check_positive, check_seed

_TRIED, _FAR = 4, 3.0  # latents to check the range of the generator with


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
        self.loss_name = check_choice(loss, LOSSES, "loss")
        self.adversarial = LOSSES[self.loss_name]
        self.penalties = [
            penalty if isinstance(penalty, Penalty) else PENALTIES[check_choice(penalty, PENALTIES, "penalty")]()
            for penalty in check_list(penalties, "penalties")
        ]
        names = check_list(augmentation, "augmentation")
        self.augmentation = [check_choice(name, AUGMENTATIONS, "augmentation") for name in names]
        self.discriminator_steps = check_count(discriminator_steps, "discriminator_steps")
        self.average = _check_share(average, "average")
        self.label_smoothing = _check_share(label_smoothing, "label_smoothing")
        self.weight_clip = None if weight_clip is None else check_positive(weight_clip, "weight_clip")
        self._check_inputs()
        self._check_shapes()
        check_game(
            self.loss_name, [penalty.name for penalty in self.penalties], discriminator, label_smoothing, weight_clip
        )
        self.averaged = WeightAverage(generator, self.add_weight, self.average) if self.average else None
        self._report(self._metric_names)
        self._descent: Any = None
        self.built = True

    def _check_inputs(self) -> None:
        for name, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            check_takes_one(network, name, type(self).__name__, "ConditionalGAN")
        known_output(self.discriminator, "discriminator", "One that tells the class too is for a ConditionalGAN.")

    def _check_shapes(self) -> None:
        (self.latent_size,) = known_shape(self.generator, "generator", "keras.Input((64,))", rank=1)
        height, width, channels = known_shape(self.discriminator, "discriminator", "keras.Input((28, 28, 1))", rank=3)
        self._image_shape = (height, width, channels)
        given = known_output(self.generator, "generator", "Give one that makes images alone.")[1:]
        if tuple(given) != self._image_shape:
            raise ZooError(
                f"the generator gives images {list(given)} and the discriminator takes "
                f"{list(self._image_shape)}. Give both the same."
            )
        outputs = self.discriminator.output_shape
        logits = outputs[0] if isinstance(outputs, list) else outputs
        if tuple(logits[1:]) not in ((), (1,)):
            raise ZooError(f"the discriminator gives {logits}, expected one logit an image, [batch, 1].")

    def _check_batch(self, size: int) -> None:
        if size < self.discriminator_steps:
            raise ZooError(
                f"batches of {size} cannot be dealt out among {self.discriminator_steps} steps of the discriminator: "
                f"give batches that many times as large as each is to see, for example {64 * self.discriminator_steps}."
            )

    def fit(self, *arguments: Any, **kwargs: Any) -> Any:
        """Trains like `keras.Model.fit`, after checking the images. See `GenerativeModel.fit`.

        Raises:
            ZooError: As there, or the generator makes images outside [0, 1].
        """
        self._check_range()
        return super().fit(*arguments, **kwargs)

    def _check_range(self) -> None:
        """Checks a few images of the generator as it is: most with another last activation leave [0, 1] at once."""
        labels = None if self.num_classes is None else tf.zeros([_TRIED], tf.int64)
        latents = _FAR * random.normal([_TRIED, self.latent_size], 0)
        images = np.asarray(self.generator(self._with_labels(latents, labels), training=False), np.float32)
        low, high = float(images.min()), float(images.max())
        if low < -RANGE_ROUNDING or high > 1 + RANGE_ROUNDING:
            raise ZooError(
                f"the generator gives pixels from {low:.3g} to {high:.3g}, expected [0, 1]. End it with a sigmoid, or "
                "with a tanh and keras.layers.Rescaling(0.5, 0.5)."
            )

    @property
    def _metric_names(self) -> tuple[str, ...]:
        return (*self.objective_names, *(penalty.name for penalty in self.penalties))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

    # The verbs.

    def call(self, latents: Any, training: bool = False, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns images [batch, height, width, channels] in [0, 1] of latents [batch, latent_size]."""
        return self.images_of(latents, labels)

    def generate(self, latents: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns the images of latents.

        Args:
            latents: [batch, latent_size], finite.
            labels: int [batch], for conditional models.

        Returns:
            float32 [batch, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: The latents or labels are not as described.
        """
        latents = check_latents(latents, self.latent_size)
        return self.run_in_batches("generate", latent=latents, **self._given_labels(labels, len(latents)))["image"]

    def discriminate(self, images: np.ndarray, labels: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Returns "logit" [batch] of images in [0, 1]: large for those that look real.

        Raises:
            ZooError: The images or labels are not as in `fit`.
        """
        images = self._checked_images(images, "images")
        return self.run_in_batches("discriminate", image=images, **self._given_labels(labels, len(images)))

    def interpolate(
        self, first: np.ndarray, second: np.ndarray, steps: int = 8, labels: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns images on the way from the first latents to the second, along great circles.

        Args:
            first: Latents [batch, latent_size]; `project` finds those of images.
            second: As many latents.
            steps: Images a path, with both ends, at least 2.
            labels: int [batch], for conditional models.

        Returns:
            float32 [batch, steps, height, width, channels].

        Raises:
            ZooError: The latents or labels are not as described, or not as many.
        """
        steps = check_ends(first, second, steps)
        start, end = check_latents(first, self.latent_size), check_latents(second, self.latent_size)
        latents = spherical(start, end, steps)
        given = self._given_labels(labels, len(start))
        repeated = np.repeat(given["label"], steps) if given else None
        images = self.generate(latents.reshape(-1, self.latent_size), repeated)
        return images.reshape(*latents.shape[:2], *self.image_shape)

    def project(
        self,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        steps: int = 200,
        step_size: float = 0.1,
        starts: int = 4,
        scale: float = 0.1,
        seed: int = 0,
        verbose: bool = False,
    ) -> Projection:
        """Finds latents whose images are near to given ones: `generate(project(images).latents)`.

        Args:
            images: [batch, height, width, channels] in [0, 1].
            labels: int [batch], for conditional models.
            steps: Steps of gradient descent with Adam.
            step_size: Of each.
            starts: Latents to start from, for each image; the one that ends best is kept.
            scale: How far pixels may be off, in units of pixels: smaller values come nearer to the images, with
                latents that are less likely.
            seed: Decides where it starts.
            verbose: Whether to show a progress bar.

        Returns:
            `latents`, `images` and `error`, the root of the mean squared difference of pixels, for each image. The
            error is large for images unlike those trained on.

        Raises:
            ZooError: An argument is not as described.
        """
        images = self._checked_images(images, "images")
        given = self._given_labels(labels, len(images)).get("label")
        if self._descent is None:  # of this model, for all calls
            self._descent = descent(self.images_of, self.image_shape, given is not None)
        return project(
            self._descent,
            images,
            given,
            self.latent_size,
            check_count(steps, "steps"),
            check_positive(step_size, "step_size"),
            check_count(starts, "starts"),
            check_positive(scale, "scale"),
            check_seed(seed),
            verbose,
        )

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        latents = temperature * random.normal([n, self.latent_size], seed).numpy()
        return self.run_in_batches("generate", latent=latents, **labels)["image"]

    # Export and serialization.

    def signatures(self) -> dict[str, Signature]:
        """Returns `generate`, `sample` and `discriminate`."""
        image, drawn = image_tensor("image", self.image_shape), image_tensor("image", self.image_shape, "n")
        latent = NamedTensor("latent", ("batch", self.latent_size), description="standard Normal noise")
        logit = NamedTensor("logit", ("batch",), description="large for images that look real")
        label, count = (), (COUNT,)
        if self.num_classes is not None:
            label, count = (label_tensor(self.num_classes),), (label_tensor(self.num_classes, "n"),)
        signatures = (
            Signature("generate", self._generate_signature, (latent, *label), (image,), description="Latent to image."),
            Signature("sample", self._sample, (SEED, *count, TEMPERATURE, FIRST), (drawn,), description="New images."),
            Signature("discriminate", self._discriminate, (image, *label), (logit,), description="How real they look."),
        )
        return {signature.name: self._guarded(signature) for signature in signatures}

    def images_of(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """Returns images, float32 in [0, 1], of latents [batch, latent_size], with the averaged weights."""
        inputs = self._with_labels(latents, labels)
        outputs = self.generator(inputs, training=False) if self.averaged is None else self.averaged(inputs)
        return tf.clip_by_value(tf.cast(outputs, tf.float32), 0.0, 1.0)

    def _generate_signature(self, latent: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return {"image": self.images_of(latent, label)}

    def _sample(
        self,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        first: tf.Tensor,
        n: tf.Tensor | None = None,
        label: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        count = n if label is None else tf.shape(label)[0]
        assert count is not None  # one of the two is an input of every model
        latents = random.normal(tf.stack([tf.cast(count, tf.int32), self.latent_size]), seed, first=first)
        return {"image": self.images_of(temperature * tf.ensure_shape(latents, [None, self.latent_size]), label)}

    def _discriminate(self, image: tf.Tensor, label: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return {"logit": self._verdict(image, label, False)[0]}

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


def _check_share(value: Any, name: str) -> float:
    value = check_positive(value, name, or_zero=True)
    if value >= 1:
        raise ZooError(f"{name} is {value!r}, expected at least 0 and below 1.")
    return value
