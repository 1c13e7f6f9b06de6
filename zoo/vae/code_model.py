"""The base of the models whose latents are grids of codes, with a prior over grids that is fitted afterwards.

    codes        c(x), a grid of integers: a deterministic posterior
    likelihood   p(x|c)
    prior        p(c), an autoregressive network over grids

    log p(x) = log sum_c p(c) p(x|c) >= log p(c(x)) + log p(x|c(x)) = elbo(x)

Shapes: x is [batch, height, width, channels], codes are int32 [batch, rows, columns]. All values are in nats an
image.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from zoo import random
from zoo.errors import ZooError
from zoo.metrics.likelihood import LogLikelihood, Weights, importance_weighted
from zoo.model import VERB_BATCH
from zoo.networks import pixelcnn
from zoo.networks.inputs import known_shape
from zoo.signature import COUNT, FIRST, SEED, TEMPERATURE, NamedTensor, Signature, image_tensor
from zoo.vae import code_prior
from zoo.vae.assembled import AssembledModel
from zoo.vae.tensors import nats
from zoo.validation import check_count, check_images, check_positive, check_seed

_BINARIZATION = 3  # purpose of noise, beside those of training and of code_prior


class CodeModel(AssembledModel):
    """A model with codes. A family implements `codes`, `likelihood`, `mean_image` and `objective`.

    A family sets `likelihood_layer`, `grid_shape` and `num_codes`, and then calls `_set_prior`.
    """

    grid_shape: tuple[int, int]  # rows and columns
    num_codes: int
    likelihood_estimator = "bound from the one code of an image"  # what `log_likelihood` gives, in words

    # What a family implements.

    def codes(self, images: tf.Tensor) -> tf.Tensor:
        """Returns c(x), int32 [batch, rows, columns]."""
        raise NotImplementedError

    def likelihood(self, codes: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|c) of codes int32 [batch, rows, columns], of images as the likelihood models them.

        Its batch shape is [batch], its event shape [height, width, channels].
        """
        raise NotImplementedError

    def mean_image(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the mean images of codes, in [0, 1]."""
        raise NotImplementedError

    # The prior.

    def _set_prior(self, prior: keras.Model | None) -> None:
        self.prior_network = pixelcnn(self.grid_shape, self.num_codes) if prior is None else prior
        self._check_prior()
        self.prior_network.trainable = False  # in `fit`
        # A weight, so that every format that keeps weights knows whether the prior is of use.
        self._prior_is_fitted = self.add_weight(
            name="prior_is_fitted", shape=(), initializer="zeros", trainable=False, autocast=False
        )
        places = self.grid_shape[0] * self.grid_shape[1]
        self._draw_codes = tf.function(
            lambda noise, temperature: code_prior.draw_codes(self.prior_network, noise, temperature),
            input_signature=[tf.TensorSpec([None, places]), tf.TensorSpec([])],
            autograph=False,
        )

    def _check_prior(self) -> None:
        example = f"networks.pixelcnn({self.grid_shape}, {self.num_codes})"
        taken = known_shape(self.prior_network, "prior", example, rank=2)
        given, wanted = tuple(self.prior_network.output_shape[1:]), (*self.grid_shape, self.num_codes)
        if taken != self.grid_shape or given != wanted:
            raise ZooError(
                f"the prior maps {list(taken)} to {list(given)}, but codes of this model need "
                f"{list(self.grid_shape)} to {list(wanted)}, as from {example}."
            )

    def train_step(self, data: Any) -> dict[str, Any]:
        """Takes a step; a prior over the codes before is of no use after it, and is refused."""
        self._prior_is_fitted.assign(0.0)
        return super().train_step(data)

    def fit_prior(
        self,
        images: Any,
        epochs: int = 20,
        batch_size: int = 64,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        validation_data: Any = None,
        verbose: Any = "auto",
    ) -> keras.callbacks.History:
        """Fits the prior to the codes of images, from the weights that it has; everything else stays as it is.

        Where the likelihood binarizes at random, images are binarized and encoded anew for each epoch, from the
        model's seed; else they are encoded once.

        Args:
            images: An array [n, height, width, channels] in [0, 1], or a `tf.data.Dataset` of such batches, which is
                read anew for each epoch.
            epochs: Passes over the codes.
            batch_size: Grids of codes a step.
            learning_rate: Of Adam.
            validation_data: The same kinds as `images`, to evaluate after each epoch.
            verbose: As in `keras.Model.fit`.

        Returns:
            The history; "loss" and "val_loss" are -log p(codes) in nats an image.

        Raises:
            ZooError: The images are not as described, the prior network sees the codes that it should predict, or
                the loss is no longer finite.
        """
        epochs, batch_size = check_count(epochs, "epochs"), check_count(batch_size, "batch_size")
        if not isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            learning_rate = check_positive(learning_rate, "learning_rate")
        first = self._codes_of(images, "images")
        validation_codes = None if validation_data is None else self._codes_of(validation_data, "validation_data")

        def codes(epoch: int) -> np.ndarray:
            anew = epoch > 0 and self.likelihood_layer.draws_targets
            return self._codes_of(images, "images", epoch) if anew else first

        self._prior_is_fitted.assign(0.0)  # not while it is half done
        history = code_prior.fit(
            self.prior_network, codes, epochs, batch_size, learning_rate, self._noise_seed, validation_codes, verbose
        )
        self._prior_is_fitted.assign(1.0)
        return history

    def _codes_of(self, source: Any, name: str, epoch: int = 0) -> np.ndarray:
        """Returns the codes of an array or a dataset of images, binarized for an epoch where that is done."""
        source = self._checked_source(source, name)
        if isinstance(source, tf.data.Dataset):
            batches = (keras.utils.unpack_x_y_sample_weight(batch)[0].numpy() for batch in source)
        else:
            images = keras.utils.unpack_x_y_sample_weight(source)[0]
            batches = (images[start : start + VERB_BATCH] for start in range(0, len(images), VERB_BATCH))
        seed = random.fold_in(random.fold_in(self._noise_seed, _BINARIZATION), epoch)
        parts = [self._codes_of_targets(batch, name, random.fold_in(seed, n)) for n, batch in enumerate(batches)]
        return np.concatenate(parts)

    def _codes_of_targets(self, images: np.ndarray, name: str, seed: random.Seed) -> np.ndarray:
        images = check_images(images, self.image_shape, name)
        targets = self.likelihood_layer.targets(tf.constant(images), seed)
        return self.run_in_batches("encode", image=targets.numpy())["code"]

    @property
    def prior_is_fitted(self) -> bool:
        """Whether `fit_prior` has run."""
        with tf.init_scope():
            return bool(keras.ops.convert_to_numpy(self._prior_is_fitted))

    @property
    def unfitted(self) -> str:
        """What the model cannot do yet, and the call that mends it, or ""."""
        fitted = self.prior_is_fitted
        return "" if fitted else "the prior over codes is not fitted yet: call fit_prior(images) after fit(images)."

    def _require_prior(self) -> None:
        if self.unfitted:
            raise ZooError(self.unfitted)

    # The bound.

    def elbo(self, images: tf.Tensor, seed: random.Seed = 0) -> dict[str, tf.Tensor]:
        """Returns a lower bound on log p(x) and its terms.

        Args:
            images: [batch, height, width, channels] in [0, 1].
            seed: An integer; decides the draw of x where the likelihood binarizes at random. The codes are
                deterministic.

        Returns:
            "elbo" = "reconstruction" - "kl", each [batch], in nats. The KL of a deterministic posterior is
            -log p(codes).

        Raises:
            ZooError: There is no fitted prior yet.
        """
        self._require_prior()
        return self._elbo_of(self.likelihood_layer.targets(tf.cast(images, tf.float32), random.fold_in(seed, 0)))

    def _elbo_of(self, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        codes = self.codes(targets)
        reconstruction = self.likelihood(codes).log_prob(targets)
        kl = -code_prior.log_prob(self.prior_network, codes)
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

    # The verbs.

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns reconstructions [batch, height, width, channels] in [0, 1]."""
        return self.mean_image(self.codes(self.likelihood_layer.seen(images)))

    def run(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature; see `GenerativeModel.run`. `sample` and `elbo` need a fitted prior."""
        if name in ("sample", "elbo"):
            self._require_prior()
        return super().run(name, **inputs)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Returns the codes of images, int32 [batch, rows, columns].

        Raises:
            ZooError: The images are not as described.
        """
        return self.run_in_batches("encode", image=check_images(images, self.image_shape))["code"]

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Returns the mean images of codes [batch, rows, columns], float32 in [0, 1].

        Raises:
            ZooError: The codes have another shape, are no integers, or are out of range.
        """
        codes = np.asarray(codes)
        if codes.shape[1:] != self.grid_shape or not len(codes) or codes.dtype.kind not in "iu":
            raise ZooError(
                f"codes have shape {list(codes.shape)} and dtype {codes.dtype}, expected integers "
                f"[batch, {', '.join(map(str, self.grid_shape))}], as from encode."
            )
        if not 0 <= codes.min() <= codes.max() < self.num_codes:
            raise ZooError(f"codes range from {codes.min()} to {codes.max()}, expected 0 to {self.num_codes - 1}.")
        return self.run_in_batches("decode", code=codes.astype(np.int32))["image"]

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Returns what the model makes of images, through their codes: float32 in [0, 1].

        Raises:
            ZooError: The images are not as described.
        """
        return self.run_in_batches("reconstruct", image=check_images(images, self.image_shape))["reconstruction"]

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        self._require_prior()
        noise = self._noise(n, seed)
        parts = [
            self._draw_codes(noise[start : start + VERB_BATCH], temperature).numpy()
            for start in range(0, n, VERB_BATCH)
        ]
        return self.run_in_batches("decode", code=np.concatenate(parts))["image"]

    def _noise(self, n: random.Seed, seed: random.Seed, first: random.Seed = 0) -> tf.Tensor:
        """Returns what draws are made of, [n, places]; the first do not depend on how many are asked for."""
        places = self.grid_shape[0] * self.grid_shape[1]
        noise = random.uniform(tf.stack([tf.cast(n, tf.int32), places]), seed, first=first)
        return tf.ensure_shape(noise, [None, places])

    def log_likelihood(
        self, images: np.ndarray, num_samples: int = 1, seed: int = 0, verbose: bool = False
    ) -> LogLikelihood:
        """Returns the lower bound log p(x|codes) + log p(codes) on log p(x), with the codes of the images.

        Images are binarized once, with `seed`, where the likelihood binarizes at random.

        Args:
            images: [n, height, width, channels] in [0, 1].
            num_samples: Accepted, as other models have it, and without effect: the posterior is deterministic, so
                that all draws are the same.
            seed: An integer; equal seeds give equal values.
            verbose: Whether to show a progress bar.

        Returns:
            The mean over images, its standard error and the value of each image, in nats.

        Raises:
            ZooError: There is no fitted prior yet, the images are not as described, or the likelihood is not one
                of such pixels.
        """
        check_count(num_samples, "num_samples")
        images = check_images(images, self.image_shape)
        self.likelihood_layer.check(images)
        self._require_prior()

        def weigher(targets: tf.Tensor) -> Weights:
            return lambda *_: self._elbo_of(targets)["elbo"][None]

        return importance_weighted(weigher, self.likelihood_layer.targets, images, 1, check_seed(seed), verbose)

    # Export.

    def signatures(self) -> dict[str, Signature]:
        """Returns `encode`, `decode`, `reconstruct`, and with a fitted prior `sample` and `elbo`."""
        image, again = image_tensor("image", self.image_shape), image_tensor("reconstruction", self.image_shape)
        ends = (0, self.num_codes - 1)
        code = NamedTensor("code", ("batch", *self.grid_shape), "int32", ends, "number of the vector at each place")
        signatures = [
            Signature("encode", self._encode, (image,), (code,), description="Image to codes."),
            Signature("decode", self._decode, (code,), (image,), description="Codes to mean image."),
            Signature("reconstruct", self._reconstruct, (image,), (again,), description="Image to mean image."),
        ]
        if self.prior_is_fitted:
            signatures += [self._sample_signature(), self._elbo_signature(image)]
        return {signature.name: signature for signature in signatures}

    def _sample_signature(self) -> Signature:
        drawn = (image_tensor("image", self.image_shape, "n"),)
        return Signature("sample", self._sample, (SEED, COUNT, TEMPERATURE, FIRST), drawn, description="New images.")

    def _elbo_signature(self, image: NamedTensor) -> Signature:
        # An input that has no effect would be none: codes are deterministic.
        inputs = (image, SEED) if self.likelihood_layer.draws_targets else (image,)
        outputs = nats(
            elbo="lower bound on the log-likelihood",
            reconstruction="log-likelihood given the codes",
            kl="-log p(codes)",
        )
        return Signature("elbo", self._elbo, inputs, outputs, description="Bound on the log-likelihood.")

    def _encode(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"code": self.codes(self.likelihood_layer.seen(image))}

    def _decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": self.mean_image(code)}

    def _reconstruct(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"reconstruction": self.call(image)}

    def _elbo(self, image: tf.Tensor, seed: random.Seed = 0) -> dict[str, tf.Tensor]:
        return self.elbo(image, seed)

    def _sample(self, seed: tf.Tensor, n: tf.Tensor, temperature: tf.Tensor, first: tf.Tensor) -> dict[str, tf.Tensor]:
        codes = code_prior.draw_codes(self.prior_network, self._noise(n, seed, first), temperature)
        return {"image": self.mean_image(codes)}
