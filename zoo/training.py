"""The training of every model in the zoo: checks of what is given, the steps, and what is reported."""

import random as stdlib_random
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.backend import require_keras_on_tensorflow
from zoo.callbacks import DIVERGED, StopOnNonFiniteLoss, stopped_unless, with_callback
from zoo.errors import ZooError, a_kind, near_miss
from zoo.validation import check_count, check_images, check_labels, check_seed, check_weights

require_keras_on_tensorflow()

TRAINING, _EVALUATION = 0, 1  # purposes of noise


class TrainableModel(keras.Model):
    """A Keras model that brings its own objective, and checks images and labels before and while it trains.

    A family implements `image_shape` and `objective`.

    Args:
        seed: Seed of the noise in training, in [0, 2**63), or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The seed is out of its range.
    """

    objective_names: tuple[str, ...] = ("loss",)
    num_classes: int | None = None  # of conditional models
    smallest_batch = 1  # of which all parts of the objective say something

    @property
    def averages_over(self) -> str | None:
        """What in the objective is of a batch as a whole, so that images cannot be weighed, or None."""
        return None

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = None if seed is None else check_seed(seed)
        # Python's generator is one of those that keras.utils.set_random_seed sets.
        self._noise_seed = stdlib_random.randrange(2**31) if seed is None else seed
        self._report(self.objective_names)

    def _report(self, names: Iterable[str]) -> None:
        """Makes the metrics of what training and evaluation report."""
        self._objective_metrics = {name: keras.metrics.Mean(name=name) for name in names}

    # What a family implements.

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        raise NotImplementedError

    def objective(
        self, images: tf.Tensor, seed: random.Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns named values [batch] for one batch; "loss" is minimized, all are reported as metrics.

        Conditional models get int64 labels [batch].
        """
        raise NotImplementedError

    def check_content(self, images: np.ndarray) -> None:
        """Checks images in [0, 1] further, before training.

        Raises:
            ZooError: The model is not one of such images.
        """

    def content_is_good(self, images: tf.Tensor) -> tf.Tensor:
        """Returns whether images [batch, ...] in [0, 1] pass `check_content`, in a graph; training stops where not."""
        return tf.constant(True)

    def why_not_finite(self, names: list[str]) -> str:
        """Returns what makes these metrics NaN or infinite, as far as can be said, and the remedy."""
        return (
            "Either pixels of that batch are NaN or outside [0, 1], or its labels out of range, or its sample weights "
            f"negative or not finite; or else: {DIVERGED}"
        )

    # What a user calls.

    def compile(self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any) -> None:
        """Configures training; like `keras.Model.compile`, but the model brings its own loss.

        Raises:
            ZooError: A `loss` or metrics are given, or there is no such optimizer.
        """
        check_optimizer(optimizer)
        unused = [name for name in ("metrics", "weighted_metrics", "loss_weights") if kwargs.get(name)]
        if loss is not None or unused:
            names = ", ".join(["loss"] * (loss is not None) + unused)
            raise ZooError(
                f"{type(self).__name__} brings its own objective and metrics: leave {names} out of compile()."
            )
        super().compile(optimizer=optimizer, **kwargs)

    def compile_from_config(self, config: dict) -> None:
        """Compiles as before saving."""
        config = keras.saving.deserialize_keras_object(config)
        brought = ("loss", "loss_weights", "metrics", "weighted_metrics")
        self.compile(**{key: value for key, value in config.items() if key not in brought})
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x: Any = None, y: Any = None, *, validation_data: Any = None, **kwargs: Any) -> Any:
        """Trains like `keras.Model.fit`, after checking the images.

        Args:
            x: Images as an array [n, height, width, channels] in [0, 1], or a `tf.data.Dataset` (or another
                source that Keras takes) of such batches; for conditional models of (images, labels).
            y: Labels, int [n], for conditional models. Else labels are refused in an array, and other targets ignored,
                so that `fit(x, x)`, as in other code for autoencoders, works.
            validation_data: The same kinds as `x`, or (x, y).
            **kwargs: As in `keras.Model.fit`. `sample_weight` is refused where `averages_over` names a part of the
                objective that is of a batch as a whole, which it would not reach.

        Raises:
            ZooError: The images or labels are not as described, or the loss is no longer finite.
        """
        if kwargs.get("batch_size") is not None:
            self._check_batch(check_count(kwargs["batch_size"], "batch_size"))
        if kwargs.get("class_weight") is not None:
            raise ZooError(f"class_weight is for classifiers: leave it out of fit() of {a_kind(self)}.")
        x = self._checked_source(_not_a_pair(x, "fit"), "images in x")
        self._check_weights(x, kwargs)
        y = self._targets(x, y, kwargs.get("sample_weight"), "labels in y")
        if validation_data is not None:
            validation_data = self._checked_source(validation_data, "images in validation_data")
        if self.num_classes is not None and isinstance(validation_data, np.ndarray):
            raise ZooError(
                f"{type(self).__name__} is conditional, but validation_data holds no labels: give (images, labels)."
            )
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # Keras warns that its own default cannot be had
        kwargs["callbacks"] = with_callback(StopOnNonFiniteLoss(self.why_not_finite), kwargs.get("callbacks"))
        return super().fit(x, y, validation_data=validation_data, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Evaluates the training objective like `keras.Model.evaluate`, after checking the images.

        Raises:
            ZooError: The images are not as in `fit`.
        """
        x = self._checked_source(_not_a_pair(x, "evaluate"), "images in x")
        self._check_weights(x, kwargs)
        kwargs["callbacks"] = with_callback(StopOnNonFiniteLoss(self.why_not_finite), kwargs.get("callbacks"))
        return super().evaluate(x, self._targets(x, y, kwargs.get("sample_weight"), "labels in y"), **kwargs)

    def _checked_source(self, source: Any, name: str) -> Any:
        if isinstance(source, tuple):
            images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(source)
            images = self._checked_images(images, name)
            sample_weight = None if sample_weight is None else check_weights(sample_weight, len(images))
            targets = self._targets(images, labels, sample_weight, name.replace("images", "labels"))
            return images if targets is None else tuple(v for v in (images, targets, sample_weight) if v is not None)
        is_eager = tf.is_tensor(source) and hasattr(source, "numpy")
        if source is None or is_eager or isinstance(source, np.ndarray | list | dict | str | float | int):
            return self._checked_images(source, name)
        if isinstance(source, tf.data.Dataset):
            first = next(iter(source.take(1)), None)
            if first is None:
                raise ZooError(f"{name} are an empty dataset, without a batch. Check the filter or the file pattern.")
            images, labels, _ = keras.utils.unpack_x_y_sample_weight(first)
            if tuple(getattr(images, "shape", ())) == tuple(self.image_shape):
                raise ZooError(f"{name} are a dataset of single images. Batch it: dataset.batch(128).")
            images = self._checked_images(images, name)
            self._check_batch(len(images))
            self._targets(images, labels, None, name.replace("images", "labels"))
        return source

    def _check_weights(self, images: Any, options: dict[str, Any]) -> None:
        if options.get("sample_weight") is not None and isinstance(images, np.ndarray):
            options["sample_weight"] = check_weights(options["sample_weight"], len(images))

    def _check_batch(self, size: int) -> None:
        if size < self.smallest_batch:
            raise ZooError(
                f"{type(self).__name__} is given batches of {size}, expected {self.smallest_batch} or more: "
                f"{self.averages_over} compares the images of a batch."
            )

    def _checked_images(self, images: Any, name: str) -> np.ndarray:
        images = check_images(images, self.image_shape, name)
        self.check_content(images)
        return images

    def _targets(self, images: Any, labels: Any, sample_weight: Any, name: str) -> np.ndarray | None:
        """Returns the labels of a conditional model; else nothing, or what nothing reads beside sample weights."""
        if not isinstance(images, np.ndarray):
            return None  # labels come with the images
        if self.num_classes is None:
            given = np.asarray(labels) if isinstance(labels, np.ndarray | list) else np.zeros([])
            if given.dtype.kind in "iu" and given.shape in ((len(images),), (len(images), 1)):
                raise ZooError(
                    f"{name} are integers, one an image, and {type(self).__name__} is not conditional: leave them out, "
                    "or use a conditional model."
                )
            # Keras drops sample weights where there are no targets.
            return None if sample_weight is None else np.zeros(len(images))
        if labels is None:
            raise ZooError(
                f"{type(self).__name__} is conditional, but {name} are missing. Call fit(images, labels), or give a "
                "dataset of such pairs."
            )
        return check_labels(labels, self.num_classes, len(images), name)

    def _step_seed(self, step: tf.Tensor, purpose: int) -> tf.Tensor:
        """Returns an int64 seed that depends on the model's seed, the step, its purpose and the replica.

        There is no state to save: with a seed given, a run that goes on from a checkpoint draws what it would have
        drawn.
        """
        seed = random.fold_in(random.fold_in(self._noise_seed, purpose), tf.cast(step, tf.int64))
        context = tf.distribute.get_replica_context()
        return seed if context is None else random.fold_in(seed, context.replica_id_in_sync_group)

    def _checked_values(
        self, images: tf.Tensor, seed: tf.Tensor, training: bool, labels: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Returns the objective; "loss" is NaN, which stops training, if a pixel or label is out of its range."""
        labels, good = self._checked_tensors(images, labels)
        given = () if labels is None else (labels,)
        values = self.objective(images, seed, training, *given)
        return {**values, "loss": stopped_unless(good, values["loss"])}

    def _checked_tensors(self, images: tf.Tensor, labels: tf.Tensor | None) -> tuple[tf.Tensor | None, tf.Tensor]:
        """Returns the labels, int64 [batch], of a conditional model, and whether pixels and labels are in their ranges.

        Raises:
            ZooError: The images have another dtype or shape, or there are no labels.
        """
        if not images.dtype.is_floating or not images.shape[1:].is_compatible_with(self.image_shape):
            raise ZooError(
                f"a batch has dtype {images.dtype.name} and shape {images.shape.as_list()}, expected float32 "
                f"{[None, *self.image_shape]} in [0, 1]. Convert it in the input pipeline."
            )
        good = tf.reduce_all((images >= 0) & (images <= 1)) & self.content_is_good(images)
        if self.num_classes is None:
            return None, good
        labels = self._flat_labels(labels)
        return labels, good & tf.reduce_all((labels >= 0) & (labels < self.num_classes))

    def _flat_labels(self, labels: tf.Tensor | None) -> tf.Tensor:
        if labels is None:
            raise ZooError(f"{type(self).__name__} is conditional, but batches hold no labels: give (images, labels).")
        if not labels.dtype.is_integer or labels.shape.rank not in (1, 2) or labels.shape[1:].num_elements() != 1:
            raise ZooError(
                f"a batch of labels has dtype {labels.dtype.name} and shape {labels.shape.as_list()}, expected "
                "integers [batch]: classes, not one-hot."
            )
        return tf.cast(tf.reshape(labels, [-1]), tf.int64)

    def _nan_unless_known(self, labels: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Returns values [batch, ...], NaN where a label is no class. `fit` and the verbs say so in words."""
        known = (labels >= 0) & (labels < (self.num_classes or 0))
        known = tf.reshape(known, [-1, *([1] * (len(values.shape) - 1))])
        return tf.where(known, values, tf.constant(np.nan, values.dtype))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of what `objective` returns."""
        return list(self._objective_metrics.values())

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes one optimizer step on a batch."""
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None and self.averages_over is not None:
            raise ZooError(
                f"sample_weight does not reach {self.averages_over}, which is of a batch as a whole: leave the weights "
                "out, or take a model or options without that."
            )
        with tf.GradientTape() as tape:
            seed = self._step_seed(batches_taken(self.optimizer), TRAINING)
            values = self._checked_values(images, seed, True, labels)
            sample_weight = _nan_if_negative(sample_weight)
            regularization = sum(self.losses)  # of the weights, whatever images weigh
            loss = _weighted_mean(values["loss"], sample_weight) + regularization
            # `tf.distribute` adds the gradients of its replicas up.
            scaled = self.optimizer.scale_loss(loss / tf.distribute.get_strategy().num_replicas_in_sync)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return self._update_metrics({**values, "loss": values["loss"] + regularization}, sample_weight)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates the objective on a batch; every evaluation draws the same noise."""
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        # The sum of weights so far, by its bits: it tells batches apart whatever the weights are.
        batch = tf.bitcast(tf.cast(self._objective_metrics["loss"].count, tf.float32), tf.int32)
        seed = self._step_seed(batch, _EVALUATION)
        values, sample_weight = self._checked_values(images, seed, False, labels), _nan_if_negative(sample_weight)
        return self._update_metrics({**values, "loss": values["loss"] + sum(self.losses)}, sample_weight)

    def _update_metrics(self, values: dict[str, tf.Tensor], sample_weight: tf.Tensor | None) -> dict[str, Any]:
        known = {name: metric for name, metric in self._objective_metrics.items() if name in values}
        # Once the loss is not finite nothing is: what was so first is what says why.
        alive = tf.math.is_finite(tf.convert_to_tensor(self._objective_metrics["loss"].total))
        for name, metric in known.items():
            value = tf.where(alive, values[name], tf.zeros_like(values[name]))
            weight = tf.ones_like(value) if sample_weight is None else tf.cast(sample_weight, value.dtype)
            metric.update_state(value, sample_weight=tf.where(alive, weight, tf.zeros_like(weight)))
        return {name: metric.result() for name, metric in known.items()}


def batches_taken(optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
    """Returns how many batches an optimizer has seen: `iterations`, or more where it accumulates gradients."""
    inner: Any = getattr(optimizer, "inner_optimizer", optimizer)
    return inner._iterations


def check_optimizer(optimizer: Any) -> None:
    """Checks the name of an optimizer.

    Raises:
        ZooError: Keras knows none of that name.
    """
    if optimizer is not None and not isinstance(optimizer, str | dict | keras.optimizers.Optimizer):
        raise ZooError(f"optimizer is {optimizer!r}, expected one of keras.optimizers or its name.")
    if isinstance(optimizer, str):
        try:
            keras.optimizers.get(optimizer)
        except ValueError:
            known = [name.lower() for name in dir(keras.optimizers) if name[0].isupper() and name != "Optimizer"]
            raise ZooError(f"Keras has no optimizer '{optimizer}'.{near_miss(optimizer, known)}") from None


def _not_a_pair(x: Any, verb: str) -> Any:
    if isinstance(x, tuple):
        raise ZooError(f"images in x are a tuple, expected an array. Give labels beside them: {verb}(images, labels).")
    return x


def _nan_if_negative(sample_weight: tf.Tensor | None) -> tf.Tensor | None:
    """Returns weights, NaN where they are negative, which would train backwards."""
    if sample_weight is None:
        return None
    weights = tf.cast(sample_weight, tf.float32)
    return tf.where(weights >= 0, weights, np.nan)


def _weighted_mean(values: tf.Tensor, sample_weight: tf.Tensor | None) -> tf.Tensor:
    weighted = values if sample_weight is None else values * tf.cast(sample_weight, values.dtype)
    return tf.reduce_mean(weighted)
