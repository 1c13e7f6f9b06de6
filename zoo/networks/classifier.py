"""A convolutional network for classifiers of small images."""

from collections.abc import Sequence

import keras

from zoo.validation import check_count, check_sizes


def conv_classifier(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64),
    hidden: int = 128,
    dropout: float = 0.3,
    name: str = "features",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels], in [0, 1], to features [batch, hidden].

    Each entry of `filters` is two normalized 3x3 convolutions, the second of which halves height and width.

    Raises:
        ZooError: A size is no integer above 0, or `filters` is empty.
    """
    images = keras.Input(check_sizes(image_shape, "image_shape", 3), name="image")
    features = images
    for count in check_sizes(filters, "filters"):
        for stride in (1, 2):
            features = keras.layers.Conv2D(count, 3, stride, padding="same", use_bias=False)(features)
            features = keras.layers.BatchNormalization()(features)
            features = keras.layers.ReLU()(features)
    features = keras.layers.Dropout(dropout)(keras.layers.Flatten()(features))
    return keras.Model(images, keras.layers.Dense(check_count(hidden, "hidden"), "relu")(features), name=name)
