"""Networks whose features images are compared in, by name."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from zoo import presets
from zoo.backend import require_keras_on_tensorflow
from zoo.errors import ZooError, a_kind, near_miss
from zoo.metrics.classifier import Classifier
from zoo.model import GenerativeModel
from zoo.validation import check_images

require_keras_on_tensorflow()

INCEPTION = "inception_v3"
_SIDE, _BATCH = 299, 64  # pixels that InceptionV3 was trained at


class FeatureNetwork(NamedTuple):
    """What measures of samples need of a network. State `name` and `resizing` with every figure.

    features: Maps images, float32 [n, height, width, channels] in [0, 1], to features [n, size].
    logits: Maps them to class logits [n, classes], or None for a network without classes.
    """

    name: str
    resizing: str
    features: Callable[[np.ndarray], np.ndarray]
    logits: Callable[[np.ndarray], np.ndarray] | None = None


def feature_network(name: str | Path) -> FeatureNetwork:
    """Returns a network by name.

    Args:
        name: A classifier among the presets, such as "classifier_mnist"; or "inception_v3", that of
            `keras.applications` with ImageNet weights, which are downloaded at first use: images are resized to
            299x299, bilinearly, and grey ones made colour; or a .keras file of a model from images in [0, 1] to
            features [n, size].

    Raises:
        ZooError: There is no such network, or what the file holds does not give features.
    """
    if str(name) == INCEPTION:
        return _inception()
    if Path(name).suffix == ".keras":
        return _from_file(Path(name))
    classifiers = [known for known, entry in presets.registry().items() if entry["class"] == Classifier.__name__]
    if str(name) not in classifiers and not Path(name).is_dir():
        raise ZooError(
            f"unknown feature network '{name}'.{near_miss(str(name), classifiers)} Known: {', '.join(classifiers)}, "
            f"{INCEPTION}, or a .keras file; for zoo evaluate and zoo export also none."
        )
    classifier = Classifier.from_preset(name)
    return FeatureNetwork(Path(name).name, "none", classifier.features, classifier.logits)


def _inception() -> FeatureNetwork:
    try:
        network = keras.applications.InceptionV3(include_top=False, pooling="avg")
    except Exception as error:  # Keras raises no narrower one
        if "URL fetch failure" not in str(error):
            raise
        raise ZooError(
            f"the weights of {INCEPTION} could not be downloaded: {error} Try again when there is a connection, or put "
            "the file into ~/.keras/models by hand."
        ) from error

    def features(images: np.ndarray) -> np.ndarray:
        """Returns the pooled features [n, 2048]."""
        parts = []
        images = check_images(images)
        if images.shape[-1] not in (1, 3):
            raise ZooError(f"{INCEPTION} takes grey or colour images, with 1 or 3 channels, not {images.shape[-1]}.")
        for start in range(0, len(images), _BATCH):
            batch = np.repeat(images[start : start + _BATCH], 3 // images.shape[-1], axis=-1)
            large: Any = keras.ops.image.resize(batch, (_SIDE, _SIDE), interpolation="bilinear")
            parts.append(np.asarray(network(2.0 * large - 1.0, training=False), np.float32))
        return np.concatenate(parts)

    return FeatureNetwork(INCEPTION, f"bilinear to {_SIDE}x{_SIDE}", features)


def _from_file(file: Path) -> FeatureNetwork:
    if not file.is_file():
        raise ZooError(f"there is no file {file}.")
    try:
        network: Any = keras.saving.load_model(file, compile=False)
    except (ValueError, TypeError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise ZooError(f"{file} cannot be read as a Keras model ({type(error).__name__}). Save it again.") from error
    if isinstance(network, Classifier):
        return FeatureNetwork(file.name, "none", network.features, network.logits)
    if isinstance(network, GenerativeModel):
        raise ZooError(f"{file} holds {a_kind(network)}, which makes no features of images. Give a classifier.")
    outputs, inputs = network.output_shape, network.input_shape
    if not isinstance(outputs, tuple) or len(outputs) != 2:
        raise ZooError(f"{file} gives {outputs}, expected features [n, size]: one output, pooled or flattened.")
    if not isinstance(inputs, tuple) or len(inputs) != 4:
        raise ZooError(f"{file} takes {inputs}, expected images [n, height, width, channels].")
    free = None in inputs[1:]

    def features(images: np.ndarray) -> np.ndarray:
        """Returns the outputs of the network."""
        images = check_images(images, None if free else tuple(inputs[1:]))
        return np.asarray(network.predict(images, batch_size=_BATCH, verbose=0), np.float32)

    return FeatureNetwork(file.name, "none", features)


def default_for(data: str) -> str | None:
    """Returns the preset that judges images of a dataset, or None where there is none."""
    name = f"classifier_{data}"
    return name if name in presets.list_presets() else None
