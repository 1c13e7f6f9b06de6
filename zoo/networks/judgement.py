"""What all discriminators begin and end with: images and labels, logits and classes.

projection       logit + <V y, features>          (Miyato and Koyama 2018, equation 3)
concatenation    labels as planes beside the image (Mirza and Osindero 2014)
classifier       class logits as a second output   (Odena et al. 2017)
"""

from collections.abc import Sequence
from typing import Any

import keras

from zoo.networks.spectral import SpectralDense
from zoo.validation import check_choice, check_count, check_sizes

CONDITIONINGS = ("projection", "concatenation", "classifier")


def judged_inputs(image_shape: Sequence[int], num_classes: int | None, conditioning: str) -> tuple[Any, Any, Any]:
    """Returns symbolic images in [0, 1], labels or None, and what the layers get: pixels from -1 to 1, and labels.

    Raises:
        ZooError: A size is no integer above 0, or the conditioning is not known.
    """
    check_choice(conditioning, CONDITIONINGS, "conditioning")
    height, width, channels = check_sizes(image_shape, "image_shape", 3)
    images = keras.Input((height, width, channels), name="image")
    features = keras.layers.Rescaling(2.0, -1.0)(images)
    if num_classes is None:
        return images, None, features
    labels = keras.Input((check_count(num_classes, "num_classes"),), name="label")
    if conditioning == "concatenation":
        repeated = keras.layers.RepeatVector(height * width)(labels)
        planes = keras.layers.Reshape((height, width, num_classes))(repeated)
        features = keras.layers.Concatenate()([features, planes])
    return images, labels, features


def judgement(images: Any, labels: Any, features: Any, conditioning: str, spectral: bool, name: str) -> keras.Model:
    """Returns a discriminator from its symbolic inputs and the features [batch, size] that it makes of them."""
    dense = SpectralDense if spectral else keras.layers.Dense
    logits = dense(1, dtype="float32", name="logit")(features)
    if labels is None:
        return keras.Model(images, logits, name=name)
    if conditioning == "classifier":
        classes = dense(labels.shape[1], dtype="float32", name="class_logit")(features)
        return keras.Model(images, [logits, classes], name=name)
    if conditioning == "projection":
        vectors = dense(features.shape[1], use_bias=False, dtype="float32", name="class_vector")(labels)
        product = keras.layers.Dot(axes=1, dtype="float32")([vectors, features])
        logits = keras.layers.Add(dtype="float32")([logits, product])
    return keras.Model([images, labels], logits, name=name)
