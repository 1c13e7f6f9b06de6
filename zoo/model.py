"""The base of every model in the zoo: the verbs that all of them have."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from typing_extensions import Self

from zoo import presets
from zoo.errors import ZooError, a_kind
from zoo.signature import TEMPERATURE, Signature, labels_to_draw
from zoo.training import TrainableModel
from zoo.validation import check_count, check_labels, check_memory, check_positive, check_seed

VERB_BATCH = 256  # images a verb handles at once: memory stays flat however many are asked for


class GenerativeModel(TrainableModel):
    """A Keras model that generates images.

    A family implements `image_shape`, `signatures`, `objective` (what is minimized in training), `_draw_images`,
    `call` and `get_config`. It gets `fit` with its checks, `sample`, presets, and export of every signature.

    Shapes and units: images are float32 [batch, height, width, channels] with pixels in [0, 1] at every
    public method. Methods that take and return NumPy arrays work through `run`, in batches, so that memory
    stays flat; inside a `tf.function` call the graph-level methods of the family instead.

    Args:
        seed: Seed of the noise in training, in [0, 2**63), or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The seed is out of its range.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(seed=seed, **kwargs)
        self._compiled_signatures: dict[str, Any] = {}

    # What a family implements.

    def signatures(self) -> dict[str, Signature]:
        """Returns the inference functions of the model by name; they are what is exported."""
        raise NotImplementedError

    def _guarded(self, signature: Signature) -> Signature:
        """Returns a signature that gives NaN for a label that is no class, in every format: it has no image."""
        if all(spec.name != "label" for spec in signature.inputs):
            return signature

        def function(label: tf.Tensor, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            """Returns the outputs of the signature."""
            outputs = signature.function(label=label, **inputs)
            return {name: self._nan_unless_known(label, value) for name, value in outputs.items()}

        return dataclasses.replace(signature, function=function)

    def _draw_images(self, n: int, seed: int, temperature: float, **labels: np.ndarray) -> np.ndarray:
        """Returns n images; conditional models get `label`, int64 [n]. What `sample` does after its checks."""
        raise NotImplementedError

    # Inference.

    def run(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature on whole inputs and returns its outputs as arrays.

        Args:
            name: A key of `signatures()`.
            **inputs: The signature's inputs by name.

        Raises:
            ZooError: There is no such signature, an input is missing, unknown or not as declared, or an output is not
                finite.
        """
        signatures = self.signatures()
        if name not in signatures:
            raise ZooError(f"{type(self).__name__} has no signature '{name}'. It has: {', '.join(signatures)}.")
        signature = signatures[name]
        checked = signature.checked(inputs)
        if name not in self._compiled_signatures:
            specs = {spec.name: tf.TensorSpec(spec.free_shape, spec.dtype, spec.name) for spec in signature.inputs}
            function = tf.function(signature.function, autograph=False)
            self._compiled_signatures[name] = function.get_concrete_function(**specs)
        values = {key: tf.constant(value) for key, value in checked.items()}
        outputs = {key: value.numpy() for key, value in self._compiled_signatures[name](**values).items()}
        for key, value in outputs.items():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise ZooError(
                    f"'{name}' gives values of '{key}' that are not finite: the weights or inputs are damaged."
                )
        return outputs

    def run_in_batches(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs a signature whose inputs are all batched, `VERB_BATCH` rows at a time, and joins the outputs."""
        rows = len(next(iter(inputs.values())))
        parts = [
            self.run(name, **{key: value[start : start + VERB_BATCH] for key, value in inputs.items()})
            for start in range(0, rows, VERB_BATCH)
        ]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def sample(self, n: int, seed: int = 0, label: Any = None, temperature: float = 1.0) -> np.ndarray:
        """Draws images.

        The same `n` and `seed` give the same images here, from the exported SavedModel and from ONNX.

        Args:
            n: How many, at least 1.
            seed: An integer in [0, 2**63).
            label: The class to draw, or one for each image, or None for all classes in turn; for conditional
                models only.
            temperature: From 1e-6 to 1e6. Below 1 images are more typical and less varied: it multiplies the standard
                deviation of the noise that latents are made of, or divides the logits of a prior over codes.

        Returns:
            float32 [n, height, width, channels], pixels in [0, 1].

        Raises:
            ZooError: An argument is out of its range, the images are larger than memory, a label is given to a model
                without classes, or a stage of training that samples need has not run.
        """
        n, seed, temperature, labels = self._checked_request(n, seed, label, temperature)
        return self._draw_images(n, seed, temperature, **labels)

    def _checked_request(
        self, n: int, seed: int, label: Any, temperature: float
    ) -> tuple[int, int, float, dict[str, np.ndarray]]:
        """Returns what `sample` is asked for, after its checks, with labels by name where the model takes any."""
        n, seed = check_count(n, "n"), check_seed(seed)
        check_memory(4 * n * math.prod(self.image_shape), f"{n:,} images")
        temperature = float(TEMPERATURE.checked(check_positive(temperature, "temperature"), "sample"))
        if self.num_classes is not None:
            return n, seed, temperature, {"label": labels_to_draw(n, label, self.num_classes)}
        if label is not None:
            raise ZooError(f"{type(self).__name__} is not conditional: it takes no label. Leave label out.")
        return n, seed, temperature, {}

    @property
    def unfitted(self) -> str:
        """What the model cannot do yet for want of a stage of training, and the call that mends it, or ""."""
        return ""

    def _given_labels(self, labels: Any, count: int) -> dict[str, np.ndarray]:
        """Returns labels given to a verb as the input "label", or {} for a model without classes."""
        if self.num_classes is None:
            if labels is not None:
                raise ZooError(f"{type(self).__name__} is not conditional: it takes no labels. Leave labels out.")
            return {}
        if labels is None:
            raise ZooError(f"{type(self).__name__} is conditional: pass labels, integers below {self.num_classes}.")
        return {"label": check_labels(labels, self.num_classes, count)}

    def export(self, *arguments: Any, **options: Any) -> None:
        """Refused: Keras's own export knows neither seeds nor signatures.

        Raises:
            ZooError: Always; it names what to call.
        """
        raise ZooError("Keras's export knows no signatures of the zoo. Take export.save(model, folder), or zoo export.")

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
            raise ZooError(f"preset '{name}' is {a_kind(model)}, not a {cls.__name__}: use zoo.from_preset.")
        return model

    def save_to_preset(
        self, directory: str | Path, weights_dtype: str = "float32", card: str = "", **details: Any
    ) -> None:
        """Saves the model as a preset folder; see `zoo.presets.save_to_preset`."""
        presets.save_to_preset(self, directory, weights_dtype, card, **details)
