"""What all models with an energy do: compare images, draw them by chains, and restore what was seen of them.

    -grad E(x)      score, the direction in which images grow more likely
    x' = x - h grad E(x) + sqrt(2 h T) e        a step of Langevin dynamics, by which they are drawn

Shapes: x is [batch, height, width, channels], in [0, 1] at every public method; energies are [batch], in nats.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from zoo import random
from zoo.ebm.energies import Energy, energy_and_gradient
from zoo.ebm.restoration import (
    Blur,
    checked_observation,
    completed,
    drawn_towards,
    energy_completed,
    finite,
    mask_tensor,
    pixels_of,
    restored_in_batches,
    seen_tensor,
)
from zoo.ebm.samplers import GradientDescent, Nesterov, UnadjustedLangevin
from zoo.ebm.samplers.base import Sampler
from zoo.ebm.samplers.schedules import at
from zoo.errors import ZooError, a_kind
from zoo.model import VERB_BATCH, GenerativeModel
from zoo.random import Seed
from zoo.signature import COUNT, FIRST, SEED, NamedTensor, Signature, image_tensor, label_tensor
from zoo.validation import check_count, check_positive, check_seed

_START, _CHAIN = 0, 1  # purposes of noise
_SAMPLERS = (UnadjustedLangevin, GradientDescent, Nesterov)
_HOT = NamedTensor("temperature", (), "float32", (0.0, 1e6), "times that of the sampler", examples=(0, 1), default=1.0)
_HEAT = NamedTensor("temperature", (), "float32", (0.0, 1e6), "times that of the sampler", examples=(0, 1), default=0.0)
_NOISE_LEVEL = NamedTensor(
    "noise_level", (), "float32", (0.0, 1e3), "noise in what was seen; 0: none", examples=(0.0, 0.5), default=0.0
)


_DATA_WEIGHT = NamedTensor(
    "data_weight", (), "float32", (0.0, 1e9), "of what was seen, with noise", examples=(0.5, 2.0), default=1.0
)


class EnergyModel(GenerativeModel):
    """A model with an energy. A family implements `energy_of`, and calls `use_sampler` in its constructor.

    Attributes:
        sampler: What chains are run with.
        sample_steps: How many steps they take where none are asked for.
        start_deviation: The standard deviation of the Normal noise around 0.5 that they start as, or None where that is
            uniform in [0, 1].
    """

    sampler: Sampler
    sample_steps: int
    start_deviation: float | None = None

    def energy_of(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns energies float32 [batch], in nats, of images [batch, height, width, channels]."""
        raise NotImplementedError

    def energy_of_class(self, labels: tf.Tensor) -> Energy:
        """Returns the energy of images of classes int64 [batch], for models that have any."""
        raise NotImplementedError

    def use_sampler(self, sampler: Sampler | None, sample_steps: int) -> None:
        """Sets what chains are run with.

        Raises:
            ZooError: The sampler cannot be exported, or there are no steps.
        """
        self.sampler = UnadjustedLangevin(1e-4, bounds=(0.0, 1.0)) if sampler is None else sampler
        if not isinstance(self.sampler, _SAMPLERS):
            known = ", ".join(each.__name__ for each in _SAMPLERS)
            raise ZooError(
                f"sampler is {a_kind(self.sampler)}, expected one of {known}: others cannot be exported. Run them on "
                "model.energy_of with zoo.ebm.run_chains."
            )
        self.sample_steps = check_count(sample_steps, "sample_steps")

    def chain(
        self,
        position: tf.Tensor,
        steps: Any,
        seed: Seed,
        sampler: Sampler | None = None,
        first: Seed = 0,
        energy: Energy | None = None,
        after: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """Returns where chains [batch, height, width, channels] are after so many steps.

        Args:
            position: Where they start.
            steps: How many.
            seed: Decides the noise.
            sampler: In place of the model's own.
            first: The number of the first chain, for chains that are run in batches.
            energy: In place of the model's own.
            after: From positions after a step and its number, to where they are moved then.
        """
        sampler, energy = sampler or self.sampler, energy or self.energy_of
        steps = tf.cast(steps, tf.int64)

        def step(index: tf.Tensor, position: tf.Tensor, memory: Any) -> tuple:
            position, memory = sampler.move(position, memory, random.fold_in(seed, index), energy, index, first)
            if after is not None:
                moved = sampler.bounded(after(position, index))
                position, memory = moved, sampler.carried(memory, moved - position)
            return index + 1, position, memory

        start = tf.zeros([], tf.int64), position, sampler.memory_at(position)
        return tf.while_loop(lambda index, *_: index < steps, step, start)[1]

    # The verbs.

    def energy(self, images: np.ndarray) -> np.ndarray:
        """Returns the energy of images in [0, 1], in nats, float32 [batch].

        Raises:
            ZooError: The images are not as in `fit`.
        """
        return self.run_in_batches("energy", image=self._checked_images(images, "images"))["energy"]

    def score(self, images: np.ndarray) -> np.ndarray:
        """Returns -grad E at images in [0, 1], in nats a unit of pixels, float32 in their shape.

        Raises:
            ZooError: The images are not as in `fit`.
        """
        return self.run_in_batches("score", image=self._checked_images(images, "images"))["score"]

    def anomaly_score(self, images: np.ndarray) -> np.ndarray:
        """Returns how unlike the training images each is, float32 [batch]: its energy."""
        return self.energy(images)

    def sample(
        self,
        n: int,
        seed: int = 0,
        label: Any = None,
        temperature: float = 1.0,
        steps: int | None = None,
        step_size: float | None = None,
    ) -> np.ndarray:
        """Draws images by chains that start from noise.

        Args:
            n: How many.
            seed: An integer in [0, 2**63).
            label: The class to draw, or one for each image, or None for all classes in turn; for models with classes.
            temperature: From 0, which descends, to 1e6, times that of the sampler.
            steps: Of each chain, by default `sample_steps`.
            step_size: In place of that of the sampler.

        Returns:
            float32 [n, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is out of its range.
        """
        heat = float(_HOT.checked(check_positive(temperature, "temperature", or_zero=True), "sample"))
        n, seed, _, labels = self._checked_request(n, seed, label, 1.0)
        how = tf.constant(heat), *self._checked_steps(steps, step_size)
        parts = []
        for first in range(0, n, VERB_BATCH):
            rows = tf.constant(seed, tf.int64), tf.constant(min(VERB_BATCH, n - first))
            given = [tf.constant(each[first : first + VERB_BATCH]) for each in labels.values()]
            parts.append(self._chains(*rows, *how, tf.constant(first, tf.int64), *given).numpy())
        return finite(np.concatenate(parts), "lower step_size, or train on")

    @functools.cached_property
    def _chains(self) -> Any:
        return tf.function(self._images_of_chains, autograph=False)

    @property
    def _default_step_size(self) -> float:
        """The step size of the sampler, or 1 where it has a schedule, which is then followed."""
        return self.sampler.step_size if isinstance(self.sampler.step_size, float) else 1.0

    def _images_of_chains(
        self,
        seed: tf.Tensor,
        n: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        step_size: tf.Tensor,
        first: Seed = 0,
        labels: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns rows `first` to `first + n` of the images of a seed."""
        start = self._noise(n, seed, first)
        sampler = self._sampler_for(temperature, step_size)
        energy = self.energy_of if labels is None else self.energy_of_class(labels)
        return pixels_of(self.chain(start, steps, random.fold_in(seed, _CHAIN), sampler, first, energy))

    def _noise(self, n: tf.Tensor, seed: Seed, first: Seed) -> tf.Tensor:
        """Returns n images of noise, rows `first` and on of those of a seed."""
        shape = tf.stack([tf.cast(n, tf.int32), *self.image_shape])
        how = shape, random.fold_in(seed, _START), 0, first
        wide = self.start_deviation
        noise = random.uniform(*how) if wide is None else 0.5 + wide * random.normal(*how)
        return tf.ensure_shape(noise, [None, *self.image_shape])

    def _checked_steps(self, steps: int | None, step_size: float | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the number of steps, int64, and their size, after checking what is asked for."""
        if step_size is not None and not isinstance(self.sampler.step_size, float):
            raise ZooError("the sampler of this model has a schedule for its step_size: leave step_size out.")
        count = check_count(self.sample_steps if steps is None else steps, "steps")
        size = self._default_step_size if step_size is None else check_positive(step_size, "step_size")
        return tf.constant(count, tf.int64), tf.constant(size)

    def _sampler_for(self, temperature: tf.Tensor, step_size: tf.Tensor) -> Sampler:
        """Returns the sampler so many times as hot, with another size of steps where it has no schedule."""
        changes = {"step_size": step_size} if isinstance(self.sampler.step_size, float) else {}
        if isinstance(self.sampler, UnadjustedLangevin):
            changes |= self.sampler.heated(temperature)
        return self.sampler.replaced(**changes)

    def restore(
        self,
        images: np.ndarray,
        mask: np.ndarray | None = None,
        noise_level: float | None = None,
        blur: float = 0.0,
        seed: int = 0,
        temperature: float = 0.0,
        steps: int | None = None,
        step_size: float | None = None,
        data_weight: float = 1.0,
    ) -> np.ndarray:
        """Completes, denoises or sharpens images, by descent of the energy with a term for what was seen.

        Args:
            images: What was seen, [batch, height, width, channels] in [0, 1], or where noise led beyond.
            mask: 1 where a pixel is known and 0 where not, [batch, height, width, 1]; None where all are.
            noise_level: The standard deviation of the noise in what was seen, in units of pixels, above 0; None where
                there is none, and known pixels stay as they are.
            blur: The standard deviation of a Gaussian blur in what was seen, in pixels; needs a noise_level.
            seed: Decides what unknown pixels start as.
            temperature: Times that of the sampler; 0 descends, 1 draws one of the images that may have been, where the
                sampler is Langevin dynamics; others descend.
            steps: By default `sample_steps`.
            step_size: In place of that of the sampler.
            data_weight: Of what was seen with noise, against the energy; 1 is Bayes's rule, if the energy over the
                sampler's temperature is that of the images. Chains that are cooler than that call for more.

        Returns:
            float32 [batch, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is not as described, or there is nothing to restore.
        """
        images, known, noise = checked_observation(images, self.image_shape, mask, noise_level)
        blur = check_positive(blur, "blur", or_zero=True)
        if blur > min(self.image_shape[:2]) / 3:
            raise ZooError(f"blur is {blur:g} pixels, expected at most a third of the images' smaller side.")
        if blur and not noise:
            raise ZooError("a blur cannot be undone without noise: give a noise_level, such as 0.02.")
        heat = check_positive(temperature, "temperature", or_zero=True)
        if heat and not isinstance(self.sampler, UnadjustedLangevin):
            raise ZooError(f"{type(self.sampler).__name__} has no temperature: leave temperature out.")
        how = tf.constant(check_seed(seed), tf.int64), tf.constant(heat), *self._checked_steps(steps, step_size)
        weight = tf.constant(check_positive(data_weight, "data_weight", or_zero=True))
        given = tf.constant(noise), *how, weight, tf.constant(blur)
        return finite(restored_in_batches(self._restorer, images, known, *given), "lower step_size, or train on")

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
        step_size: tf.Tensor,
        data_weight: tf.Tensor,
        blur: tf.Tensor,
        first: tf.Tensor,
    ) -> tf.Tensor:
        """Returns rows `first` and on of restored images."""
        seen_through = Blur(blur, *self.image_shape[:2])
        start = completed(images, mask, self._noise(tf.shape(images)[0], seed, first))
        energy = energy_completed(self.energy_of, images, mask, noise_level)
        sampler = self._sampler_for(temperature, step_size)
        weight = tf.where(noise_level <= 0, 0.0, data_weight / tf.square(tf.maximum(noise_level, 1e-6)))

        def towards_seen(position: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
            strength = at(sampler.step_size, index, tf.float32) * weight * self.sampler.own_temperature(index)
            return drawn_towards(position, images, mask, strength, seen_through)

        end = self.chain(start, steps, random.fold_in(seed, _CHAIN), sampler, first, energy, towards_seen)
        return pixels_of(tf.where(noise_level <= 0, completed(images, mask, end), end))

    # Export.

    def signatures(self) -> dict[str, Signature]:
        """Returns `energy`, `score`, `sample` and `restore`."""
        count = (COUNT,) if self.num_classes is None else (label_tensor(self.num_classes, "n"),)
        image, drawn = image_tensor("image", self.image_shape), image_tensor("image", self.image_shape, "n")
        energy = NamedTensor("energy", ("batch",), description="energy in nats, low for likely images")
        score = NamedTensor("score", ("batch", *self.image_shape), description="minus the gradient of the energy")
        steps = NamedTensor(
            "steps", (), "int64", (1, 10**6), "steps of the chain", examples=(2, 20), default=self.sample_steps
        )
        known = mask_tensor(self.image_shape)
        restored = image_tensor("restored", self.image_shape)
        widest = min(self.image_shape[:2]) / 3
        blur = NamedTensor(
            "blur", (), "float32", (0.0, widest), "of what was seen, in pixels", (0.0, min(1.0, widest)), 0.0
        )
        how: tuple[NamedTensor, ...] = (steps,)
        if isinstance(self.sampler.step_size, float):
            own = self.sampler.step_size
            size = NamedTensor("step_size", (), "float32", (1e-9, 1e9), "size of a step", (own, own), own)
            how = (steps, size)
        signatures = (
            Signature("energy", self._energy, (image,), (energy,), description="How unlikely an image is."),
            Signature("score", self._score, (image,), (score,), description="Where it grows more likely."),
            Signature("sample", self._sample, (SEED, *count, _HOT, *how, FIRST), (drawn,), description="New images."),
            Signature(
                "restore",
                self._restore,
                (seen_tensor(self.image_shape), known, _NOISE_LEVEL, SEED, _HEAT, *how, _DATA_WEIGHT, blur, FIRST),
                (restored,),
                description="What is likely, given what was seen.",
            ),
        )
        return {signature.name: signature for signature in signatures}

    def _energy(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"energy": self.energy_of(image)}

    def _score(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"score": -energy_and_gradient(self.energy_of, image)[1]}

    def _sample(
        self,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        first: tf.Tensor,
        step_size: tf.Tensor | None = None,
        **images: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Returns images, as many as `n` says, or one for each `label`."""
        size = tf.constant(self._default_step_size) if step_size is None else step_size
        label = images.get("label")
        count = images["n"] if label is None else tf.shape(label)[0]
        return {"image": self._images_of_chains(seed, count, temperature, steps, size, first, label)}

    def _restore(
        self,
        image: tf.Tensor,
        mask: tf.Tensor,
        noise_level: tf.Tensor,
        seed: tf.Tensor,
        temperature: tf.Tensor,
        steps: tf.Tensor,
        data_weight: tf.Tensor,
        first: tf.Tensor,
        blur: tf.Tensor,
        step_size: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        size = tf.constant(self._default_step_size) if step_size is None else step_size
        given = image, mask, noise_level, seed, temperature, steps, size, data_weight, blur, first
        return {"restored": self._restored(*given)}
