"""A convolutional network for classifiers of small images."""

from collections.abc import Sequence

import keras


def conv_classifier(
    image_shape: Sequence[int],
    filters: Sequence[int] = (32, 64),
    hidden: int = 128,
    dropout: float = 0.3,
    name: str = "features",
) -> keras.Model:
    """Returns a network from images [batch, height, width, channels], in [0, 1], to features [batch, hidden].

    Each entry of `filters` is two normalized 3x3 convolutions, the second of which halves height and width.
    """
    images = keras.Input(tuple(image_shape), name="image")
    features = images
    for count in filters:
        for stride in (1, 2):
            features = keras.layers.Conv2D(count, 3, stride, padding="same", use_bias=False)(features)
            features = keras.layers.BatchNormalization()(features)
            features = keras.layers.ReLU()(features)
    features = keras.layers.Dropout(dropout)(keras.layers.Flatten()(features))
    return keras.Model(images, keras.layers.Dense(hidden, "relu")(features), name=name)
