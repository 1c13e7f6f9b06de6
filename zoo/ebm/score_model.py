"""The score model: gradients of energies at all levels of noise, learned by denoising, and followed down to images.

    D(y; s)                         the mean of clean images x, given y = x + s e, e ~ Normal(0, 1)
    -grad E_s(y) = (D(y; s) - y) / s^2          E_s: the energy of images with noise of s (Tweedie; Vincent 2011)
    loss = w(s) |D(x + s e; s) - x|^2           log s ~ Normal (Karras et al. 2022, equations 2 and 7, table 1)
    dy / ds = s grad E_s(y)                     leads from noise to an image as s falls (there, equation 1)

Denoising score matching at many levels (Song and Ermon 2019), with the level as an input, and no chain in training.
There is no energy as such: what the network gives is a field, and nothing makes it the gradient of a function.

Shapes: images are [batch, height, width, channels], in [0, 1] at every public method; levels s are standard deviations
in units of pixels, [batch].
"""

import copy
import dataclasses
import functools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import Self

from zoo import random
from zoo.ebm.noise_descent import drawn_images, restored_images
from zoo.ebm.restoration import checked_observation, finite, mask_tensor, pixels_of, restored_in_batches, seen_tensor
from zoo.errors import ZooError
from zoo.model import VERB_BATCH, GenerativeModel
from zoo.networks.inputs import check_takes_levels, known_output, known_shape
from zoo.random import Seed
from zoo.signature import COUNT, FIRST, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor
from zoo.validation import as_array, check_count, check_positive, check_seed, check_share

_LEVEL, _NOISE, _START, _CHAIN = range(4)  # purposes of noise
_MEDIAN, _SPREAD = 0.6, 1.2  # of the levels in training, over the deviation, and of logarithms: Karras et al. 2022
_CENTRE = 0.5  # of pixels
_OPTIONS = ("noise_levels", "deviation", "level_median", "sample_steps", "renewal", "seed")  # of the constructor
_JUDGED, _LEAST, _MOST = 8, 0.1, 2.0  # levels that an anomaly score is made of, as multiples of the deviation

_STEPS = NamedTensor("steps", (), "int64", (1, 10**6), "evaluations of the network", examples=(2, 20))
_LEVELS = NamedTensor("noise_level", ("batch",), "float32", (1e-4, 1e4), "standard deviation of the noise")
_SEEN_NOISE = NamedTensor("noise_level", (), "float32", (0.0, 1e3), "noise in what was seen; 0: none", default=0.0)
_HEAT = NamedTensor("temperature", (), "float32", (0.0, 1.0), "noise that is drawn anew", default=1.0)
_RENEWAL = NamedTensor("renewal", (), "float32", (0.0, 1.0), "noise that is drawn anew at each step")


@keras.saving.register_keras_serializable(package="zoo")
class ScoreModel(GenerativeModel):
    """Denoises at any level, and draws images by that.

    Args:
        network: Maps images [batch, height, width, channels], of a variance of 1, and the logarithms of levels
            [batch, 1] to real numbers in the shape of the images, as `zoo.networks.unet` does.
        noise_levels: The smallest and the largest level: at the largest nothing of an image can be told.
        deviation: The root mean square of pixels minus 0.5; 0.5 for black and white, about 0.27 for photographs.
        level_median: Half of the levels in training are below it; by default 0.6 times `deviation` (Karras et al. 2022,
            table 1). Higher, more of the training goes into what images are of, and less into their detail.
        sample_steps: How many steps `sample` takes where it is not told, each one evaluation of the network.
        renewal: How much of the noise `sample` draws anew at each step where it is not told, from 0 to 1. With none few
            steps do, and what starts at one noise ends at one image; with all of it many steps are nearer to the data.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The network does not fit, or a number is out of its range.

    Example:
        >>> model = zoo.ScoreModel(networks.unet((28, 28, 1)))
        >>> model.compile(keras.optimizers.Adam(1e-3))
        >>> model.fit(images, epochs=20)
        >>> model.sample(64, seed=0)
    """

    objective_names = ("loss", "denoising_error")

    def __init__(
        self,
        network: keras.Model,
        noise_levels: tuple[float, float] = (0.01, 20.0),
        deviation: float = 0.5,
        level_median: float | None = None,
        sample_steps: int = 40,
        renewal: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **kwargs)
        self.network = network
        low, high = (check_positive(level, "noise_levels") for level in noise_levels)
        if low >= high:
            raise ZooError(f"noise_levels are {tuple(noise_levels)}, expected (smallest, largest).")
        self.noise_levels = (low, high)
        self.deviation = check_positive(deviation, "deviation")
        median = _MEDIAN * self.deviation if level_median is None else level_median
        self.level_median = check_positive(median, "level_median")
        self.sample_steps = check_count(sample_steps, "sample_steps", 2)
        self.renewal = check_share(renewal, "renewal")
        example = "zoo.networks.unet((28, 28, 1))"
        check_takes_levels(network, "network", example)
        height, width, channels = known_shape(network, "network", example, rank=3)
        self._image_shape = (height, width, channels)
        given = known_output(network, "network", "Give one that gives the field alone.")
        if tuple(given[1:]) != self._image_shape:
            raise ZooError(f"the network gives {list(given)}, expected the shape of its images.")
        self.autocast = False  # noise and levels are float32, whatever the dtype policy
        self.built = True

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._image_shape

    # The field.

    def denoised(self, images: tf.Tensor, levels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns D, float32 in the shape of the images, of images [batch, ...] with noise of levels [batch].

        What the network gives is scaled such that its inputs and what it is to give have a variance of 1 at all levels
        (Karras et al. 2022, table 1).
        """
        levels = tf.reshape(tf.cast(levels, tf.float32), [-1, *[1] * len(self.image_shape)])
        total = tf.square(levels) + self.deviation**2
        centred = images - _CENTRE
        logarithm = tf.reshape(tf.math.log(levels), [-1, 1])
        field: Any = self.network([centred * tf.math.rsqrt(total), logarithm], training=training)
        kept = self.deviation**2 / total * centred
        return _CENTRE + kept + levels * self.deviation * tf.math.rsqrt(total) * tf.cast(field, tf.float32)

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        """Returns images denoised at the smallest level."""
        return self.denoised(images, tf.fill([tf.shape(images)[0]], self.noise_levels[0]), training)

    # Training.

    def objective(
        self, images: tf.Tensor, seed: Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss, in units where a network that gives 0 costs about the number of pixels, and |D - x|^2."""
        count = tf.shape(images)[0]
        spread = _SPREAD * random.normal(tf.reshape(count, [1]), random.fold_in(seed, _LEVEL))
        levels = tf.clip_by_value(self.level_median * tf.exp(spread), *self.noise_levels)
        noise = random.normal(tf.shape(images), random.fold_in(seed, _NOISE))
        noisy = images + levels[:, None, None, None] * noise
        error = tf.reduce_sum(tf.square(self.denoised(noisy, levels, training) - images), axis=[1, 2, 3])
        weight = (tf.square(levels) + self.deviation**2) / tf.square(levels * self.deviation)
        return {"loss": weight * error, "denoising_error": error}

    # The verbs.

    def denoise(self, images: np.ndarray, noise_level: float) -> np.ndarray:
        """Returns the mean of the clean images that noisy ones may come from, float32 in their shape, not cut off.

        Args:
            images: [batch, height, width, channels], with noise of `noise_level`: in [0, 1] or beyond.
            noise_level: Its standard deviation, in units of pixels.

        Raises:
            ZooError: An argument is not as described.
        """
        return self._at_level("denoise", images, noise_level)["denoised"]

    def score(self, images: np.ndarray, noise_level: float) -> np.ndarray:
        """Returns the gradient of the log-density of images with noise of a level, at such images; as `denoise`."""
        return self._at_level("score", images, noise_level)["score"]

    def _at_level(self, name: str, images: np.ndarray, noise_level: float) -> dict[str, np.ndarray]:
        images = as_array(images, "images")
        if images.dtype.kind != "f":
            raise ZooError(f"images have dtype {images.dtype}, expected floats, of pixels in [0, 1] with noise.")
        images = images.astype(np.float32)
        level = check_positive(noise_level, "noise_level")
        return self.run_in_batches(name, noisy=images, noise_level=np.full(len(images), level, np.float32))

    def anomaly_score(self, images: np.ndarray) -> np.ndarray:
        """Returns how badly each image is denoised, float32 [batch], in nats up to a constant.

        The integral of |D - x|^2 / s^2 over log s, as a sum over levels, with the same noise each time: minus the
        log-likelihood of continuous pixels, less what lies beyond those levels (Kingma et al. 2021, equation 11).

        Raises:
            ZooError: The images are not as in `fit`.
        """
        return self.run_in_batches("anomaly_score", image=self._checked_images(images, "images"))["anomaly_score"]

    def sample(
        self,
        n: int,
        seed: int = 0,
        label: Any = None,
        temperature: float = 1.0,
        steps: int | None = None,
        renewal: float | None = None,
    ) -> np.ndarray:
        """Draws images from noise.

        Args:
            n: How many.
            seed: An integer in [0, 2**63).
            label: None.
            temperature: From 1e-6 to 1e6, times the standard deviation of the noise that images begin as and of what is
                drawn anew.
            steps: By default `sample_steps`, each one evaluation of the network.
            renewal: How much of the noise is drawn anew at each step, from 0 to 1; by default the model's `renewal`.

        Returns:
            float32 [n, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is out of its range.
        """
        n, seed, temperature, _ = self._checked_request(n, seed, label, temperature)
        share = check_share(self.renewal if renewal is None else renewal, "renewal")
        how, parts = (tf.constant(temperature), tf.constant(share), self._checked_steps(steps)), []
        for first in range(0, n, VERB_BATCH):
            rows = tf.constant(seed, tf.int64), tf.constant(min(VERB_BATCH, n - first))
            parts.append(self._drawer(*rows, *how, tf.constant(first, tf.int64)).numpy())
        return finite(np.concatenate(parts), "train on")

    def _checked_steps(self, steps: int | None) -> tf.Tensor:
        return tf.constant(check_count(self.sample_steps if steps is None else steps, "steps"), tf.int64)

    @functools.cached_property
    def _drawer(self) -> Any:
        return tf.function(self._drawn, autograph=False)

    def _drawn(
        self,
        seed: tf.Tensor,
        n: tf.Tensor,
        temperature: tf.Tensor,
        renewal: tf.Tensor,
        steps: tf.Tensor,
        first: Seed = 0,
    ) -> tf.Tensor:
        """Returns rows `first` to `first + n` of the images of a seed."""
        low, high = self.noise_levels
        shape, chain = tf.stack([tf.cast(n, tf.int32), *self.image_shape]), random.fold_in(seed, _CHAIN)

        def noise(seed: Seed) -> tf.Tensor:
            drawn = temperature * random.normal(shape, seed, first=first)
            return tf.ensure_shape(drawn, [None, *self.image_shape])

        start = _CENTRE + high * noise(random.fold_in(seed, _START))
        how = steps, high, low, renewal, lambda index: noise(random.fold_in(chain, index))
        return pixels_of(drawn_images(self.denoised, start, *how))

    def restore(
        self,
        images: np.ndarray,
        mask: np.ndarray | None = None,
        noise_level: float | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        steps: int | None = None,
    ) -> np.ndarray:
        """Completes or denoises images: draws one of those that what was seen may come from.

        Args:
            images: What was seen, [batch, height, width, channels] in [0, 1], or where noise led beyond.
            mask: 1 where a pixel is known and 0 where not, [batch, height, width, 1]; None where all are.
            noise_level: The standard deviation of the noise in what was seen, in units of pixels, above 0; None where
                there is none, and known pixels stay as they are.
            seed: Decides the noise.
            temperature: How much of the noise is drawn anew at each step, from 0 to 1.
            steps: By default `sample_steps`. With 1, and no mask, it is the mean of what may have been: nearest in
                squares, and smoother than any of it.

        Returns:
            float32 [batch, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is not as described, or there is nothing to restore.
        """
        images, known, noise = checked_observation(images, self.image_shape, mask, noise_level)
        heat = tf.constant(check_share(temperature, "temperature"))
        how = tf.constant(check_seed(seed), tf.int64), heat, self._checked_steps(steps)
        return finite(restored_in_batches(self._restorer, images, known, tf.constant(noise), *how), "train on")

    @functools.cached_property
    def _restorer(self) -> Any:
        return tf.function(self._restored, autograph=False)

    def _restored(
        self,
        images: tf.Tensor,
        mask: tf.Tensor,
        noise_level: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        first: Seed = 0,
    ) -> tf.Tensor:
        """Returns rows `first` and on of restored images."""
        low, high = self.noise_levels
        how = steps, high, low, temperature, random.fold_in(seed, _CHAIN), first
        return pixels_of(restored_images(self.denoised, images, mask, noise_level, *how))

    # Export.

    def signatures(self) -> dict[str, Signature]:
        """Returns `denoise`, `score`, `anomaly_score`, `sample` and `restore`."""
        image, drawn = image_tensor("image", self.image_shape), image_tensor("image", self.image_shape, "n")
        shape = ("batch", *self.image_shape)
        noisy = NamedTensor("noisy", shape, description="pixels with noise")
        denoised, score = (
            NamedTensor("denoised", shape, description="mean of clean pixels"),
            NamedTensor("score", shape),
        )
        anomaly = NamedTensor("anomaly_score", ("batch",), description="in nats, up to a constant")
        known = mask_tensor(self.image_shape)
        steps = dataclasses.replace(_STEPS, default=self.sample_steps)
        seen = (seen_tensor(self.image_shape), known, _SEEN_NOISE, SEED, _HEAT, steps, FIRST)
        given = (SEED, COUNT, TEMPERATURE, dataclasses.replace(_RENEWAL, default=self.renewal), steps, FIRST)
        restored = image_tensor("restored", self.image_shape)
        signatures = (
            Signature("denoise", self._denoise, (noisy, _LEVELS), (denoised,), description="The mean of clean images."),
            Signature("score", self._score, (noisy, _LEVELS), (score,), description="Where images grow more likely."),
            Signature("anomaly_score", self._anomaly, (image,), (anomaly,), description="How unlikely an image is."),
            Signature("sample", self._sample, given, (drawn,), description="New images."),
            Signature("restore", self._restore, seen, (restored,), description="What is likely, given what was seen."),
        )
        return {signature.name: signature for signature in signatures}

    def _denoise(self, noisy: tf.Tensor, noise_level: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"denoised": self.denoised(noisy, noise_level)}

    def _score(self, noisy: tf.Tensor, noise_level: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"score": (self.denoised(noisy, noise_level) - noisy) / tf.square(noise_level)[:, None, None, None]}

    def _anomaly(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        levels = tf.constant(np.geomspace(_LEAST, _MOST, _JUDGED) * self.deviation, tf.float32)

        def add(place: tf.Tensor, total: tf.Tensor) -> tuple:
            level = levels[place]
            noise = random.normal([1, *self.image_shape], place)  # the same for all, so that they compare
            found = self.denoised(image + level * noise, tf.fill(tf.shape(total), level))
            return place + 1, total + tf.reduce_sum(tf.square(found - image), axis=[1, 2, 3]) / level**2

        start = tf.zeros([], tf.int64), tf.zeros(tf.shape(image)[:1])
        apart = math.log(_MOST / _LEAST) / _JUDGED  # of the logarithms that each level stands for
        return {"anomaly_score": apart * tf.while_loop(lambda place, _: place < _JUDGED, add, start)[1]}

    def _sample(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": self._drawn(**inputs)}

    def _restore(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        noise_level: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        first: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        return {"restored": self._restored(image, mask, noise_level, seed, temperature, steps, first)}

    # Serialization.

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        return {
            **super().get_config(),
            "network": keras.saving.serialize_keras_object(self.network),
            **{name: getattr(self, name) for name in _OPTIONS},
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Builds a model from `get_config`."""
        config = copy.deepcopy(config)  # Keras empties parts of what it deserializes
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})
