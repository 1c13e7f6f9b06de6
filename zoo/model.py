"""The base of every model in the zoo: the verbs that all of them have."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import Self

from zoo import presets, random
from zoo.backend import require_keras_on_tensorflow
from zoo.errors import ZooError
from zoo.signature import Signature
from zoo.validation import check_count, check_images, check_seed

require_keras_on_tensorflow()

VERB_BATCH = 256  # images a verb handles at once: memory stays flat however many are asked for


class GenerativeModel(keras.Model):
    """A Keras model that generates images.

    A family implements `image_shape`, `signatures`, `objective` (what is minimized in training), `call` and
    `get_config`. It gets `fit` with its checks, `sample`, presets, and export of every signature.

    Shapes and units: images are float32 [batch, height, width, channels] with pixels in [0, 1] at every
    public method. Methods that take and return NumPy arrays work through `run`, in batches, so that memory
    stays flat; inside a `tf.function` call the graph-level methods of the family instead.

    Args:
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.
    """

    objective_names: tuple[str, ...] = ("loss",)

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._objective_metrics = {name: keras.metrics.Mean(name=name) for name in self.objective_names}
        self._compiled_signatures: dict[str, Any] = {}

    # What a family implements.

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        raise NotImplementedError

    def signatures(self) -> dict[str, Signature]:
        """Returns the inference functions of the model by name; they are what is exported."""
        raise NotImplementedError

    def objective(self, images: tf.Tensor, seed: random.Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns named values [batch] for one batch; "loss" is minimized, all are reported as metrics."""
        raise NotImplementedError

    # Inference.

    def run(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature on whole inputs and returns its outputs as arrays.

        Args:
            name: A key of `signatures()`.
            **inputs: The signature's inputs by name.
        """
        signature = self.signatures()[name]
        if name not in self._compiled_signatures:
            specs = {spec.name: tf.TensorSpec(spec.free_shape, spec.dtype, spec.name) for spec in signature.inputs}
            function = tf.function(signature.function, autograph=False)
            self._compiled_signatures[name] = function.get_concrete_function(**specs)
        values = {spec.name: tf.convert_to_tensor(inputs[spec.name], spec.dtype) for spec in signature.inputs}
        return {key: value.numpy() for key, value in self._compiled_signatures[name](**values).items()}

    def run_in_batches(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs a signature whose inputs are all batched, `VERB_BATCH` rows at a time, and joins the outputs."""
        rows = len(next(iter(inputs.values())))
        parts = [
            self.run(name, **{key: value[start : start + VERB_BATCH] for key, value in inputs.items()})
            for start in range(0, rows, VERB_BATCH)
        ]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def sample(self, n: int, seed: int = 0, label: Any = None) -> np.ndarray:
        """Draws images.

        The same `n` and `seed` give the same images here, from the exported SavedModel and from ONNX.

        Args:
            n: How many, at least 1.
            seed: An integer in [0, 2**63).
            label: The class to draw, for conditional models only.

        Returns:
            float32 [n, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is out of its range, or a label is given to a model without classes.
        """
        if label is not None:
            raise ZooError(f"{type(self).__name__} is not conditional: it takes no label. Leave label out.")
        return self._sample(check_count(n, "n"), check_seed(seed))

    def _sample(self, n: int, seed: int) -> np.ndarray:
        raise NotImplementedError

    # Presets.

    @classmethod
    def from_preset(cls, name: str | Path) -> Self:
        """Loads a pretrained model of this class.

        Args:
            name: One of `zoo.list_presets()`, or a folder written by `save_to_preset`.

        Raises:
            ZooError: There is no such preset, it is of another class, or a file is missing or altered.
        """
        model = presets.from_preset(name)
        if not isinstance(model, cls):
            raise ZooError(f"preset '{name}' is a {type(model).__name__}, not a {cls.__name__}: use zoo.from_preset.")
        return model

    def save_to_preset(
        self, directory: str | Path, weights_dtype: str = "float32", card: str = "", **details: Any
    ) -> None:
        """Saves the model as a preset folder; see `zoo.presets.save_to_preset`."""
        presets.save_to_preset(self, directory, weights_dtype, card, **details)

    # Training.

    def compile(self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any) -> None:
        """Configures training; like `keras.Model.compile`, but the model brings its own loss.

        Raises:
            ZooError: A `loss` is given.
        """
        if loss is not None:
            raise ZooError(f"{type(self).__name__} trains on its own objective: leave loss out of compile().")
        super().compile(optimizer=optimizer, **kwargs)

    def compile_from_config(self, config: dict) -> None:
        """Compiles as before saving."""
        config = keras.saving.deserialize_keras_object(config)
        self.compile(**{key: value for key, value in config.items() if key != "loss"})
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x: Any = None, y: Any = None, *, validation_data: Any = None, **kwargs: Any) -> Any:
        """Trains like `keras.Model.fit`, after checking the images.

        Args:
            x: Images as an array [n, height, width, channels] in [0, 1], or a `tf.data.Dataset` (or another
                source that Keras takes) of such batches. Labels or targets beside them are not used.
            y: Ignored, so that `fit(x, x)`, as in other code for autoencoders, works.
            validation_data: The same kinds as `x`.
            **kwargs: As in `keras.Model.fit`.

        Raises:
            ZooError: The images are not as described, or the loss is no longer finite.
        """
        x, y = self._checked_source(x, "x"), None
        validation_data = self._checked_source(validation_data, "validation_data")
        if kwargs.get("sample_weight") is not None:
            y = np.zeros(len(x))  # Keras drops the weights where there are no targets
        callbacks = kwargs.pop("callbacks", None)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []
            callbacks = [StopOnNonFiniteLoss(), *callbacks]
        return super().fit(x, y, validation_data=validation_data, callbacks=callbacks, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Evaluates the training objective like `keras.Model.evaluate`, after checking the images."""
        return super().evaluate(self._checked_source(x, "x"), **kwargs)

    def _checked_source(self, source: Any, name: str) -> Any:
        if isinstance(source, tuple) and source and isinstance(source[0], np.ndarray):
            source = source[0]
        if isinstance(source, np.ndarray | list) or (tf.is_tensor(source) and hasattr(source, "numpy")):
            return check_images(source, self.image_shape, name)
        if isinstance(source, tf.data.Dataset):
            first = next(iter(source.take(1)), None)
            if first is None:
                raise ZooError(f"{name} is an empty dataset: it gives no batch. Check the filter or the file pattern.")
            images = first[0] if isinstance(first, tuple | list) else first
            check_images(images, self.image_shape, f"images of {name}")
        return source

    def _training_seed(self) -> tf.Tensor:
        """Returns a fresh int64 seed a step, another one in every replica."""
        words = tf.cast(self.seed_generator.next(), tf.int64)
        seed = random.fold_in(words[0] * (1 << 31) + words[1], 0)
        context = tf.distribute.get_replica_context()
        return seed if context is None else random.fold_in(seed, context.replica_id_in_sync_group)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of what `objective` returns."""
        return list(self._objective_metrics.values())

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes one optimizer step on a batch."""
        images, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            values = self.objective(images, self._training_seed(), training=True)
            loss = _weighted_mean(values["loss"], sample_weight) + sum(self.losses)
            # `tf.distribute` adds the gradients of its replicas up.
            scaled = self.optimizer.scale_loss(loss / tf.distribute.get_strategy().num_replicas_in_sync)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return self._update_metrics(values, sample_weight)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates the objective on a batch."""
        images, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        return self._update_metrics(self.objective(images, self._training_seed(), training=False), sample_weight)

    def _update_metrics(self, values: dict[str, tf.Tensor], sample_weight: tf.Tensor | None) -> dict[str, tf.Tensor]:
        for name, metric in self._objective_metrics.items():
            metric.update_state(values[name], sample_weight=sample_weight)
        return self.get_metrics_result()


def _weighted_mean(values: tf.Tensor, sample_weight: tf.Tensor | None) -> tf.Tensor:
    weighted = values if sample_weight is None else values * tf.cast(sample_weight, values.dtype)
    return tf.reduce_mean(weighted)


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Stops training with an error, at the first batch whose loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Checks the running loss."""
        broken = [name for name, value in (logs or {}).items() if not np.isfinite(value)]
        if broken:
            raise ZooError(
                f"training stopped at batch {batch + 1}: {', '.join(sorted(broken))} is not finite. "
                "Lower the learning rate, clip gradients (optimizer argument global_clipnorm), or check the data."
            )
