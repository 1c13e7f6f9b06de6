"""Trains a classifier by which what models draw is judged, and makes it the preset `classifier_DATA`.

    python -m recipes.classifier mnist

It sees images shifted, turned, scaled and, where a class allows it, mirrored a little at random: never one that a
model drew.
"""

import json
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from recipes.quiet import import_tensorflow_quietly

SEED, BATCH_SIZE, LEARNING_RATE = 0, 128, 2e-3


class Choice(NamedTuple):
    """What is done for a data set."""

    filters: tuple[int, ...]
    epochs: int
    mirrored: bool
    description: str
    source: str


CHOICES = {
    "mnist": Choice(
        (32, 64),
        12,
        False,
        "A convolutional classifier of MNIST's digits, to judge what models draw.",
        "MNIST (Y. LeCun, C. Cortes and C. Burges; CC BY-SA 3.0)",
    ),
    "cifar10_jpeg_subset": Choice(
        (48, 96, 192),
        40,
        True,
        "A convolutional classifier of small colour photographs in ten classes, to judge what models draw.",
        "12,500 images of CIFAR-10 (A. Krizhevsky 2009) that went through JPEG",
    ),
}


_CARD = """# {name}

{description} {parameters:,} parameters, stored as float16.

## How good it is

Test accuracy: **{accuracy:.2%} +- {standard_error:.2%}** of {images:,} images ({data} test), of the stored weights.
The error is the binomial standard error. Nothing was chosen by the test images.

## How it was made

    python -m recipes.classifier {data}

{epochs} epochs in {minutes:.0f} minutes on two CPU cores, seed {seed}.

## Data and use

Trained on {source}, with small random shifts, turns{mirrors} and scales.
`logits` and `features` (128, below the logits) take images {shape} in [0, 1].

    from zoo.metrics import Classifier, conditional_accuracy

    classifier = Classifier.from_preset("{name}")
    conditional_accuracy(model, classifier.logits)

Licence: MIT.
"""


def train(name: str) -> tuple[Any, float]:
    """Returns a classifier trained on a data set, and the minutes that it took."""
    import keras
    import tensorflow as tf

    from recipes.data import load
    from zoo.metrics import Classifier
    from zoo.networks import conv_classifier

    keras.utils.set_random_seed(SEED)
    choice, data = CHOICES[name], load(name)
    layers = keras.layers
    changes = [
        layers.RandomTranslation(0.08, 0.08, fill_mode="constant", seed=SEED),
        layers.RandomRotation(0.03, fill_mode="constant", seed=SEED),
        layers.RandomZoom(0.1, 0.1, fill_mode="constant", seed=SEED),
        *([layers.RandomFlip("horizontal", seed=SEED)] if choice.mirrored else []),
    ]
    varied = keras.Sequential(changes)
    images_and_labels: Any = (data.train, data.train_labels)
    batches = (
        tf.data.Dataset.from_tensor_slices(images_and_labels)
        .shuffle(len(data.train), seed=SEED)
        .batch(BATCH_SIZE)
        .map(lambda images, labels: (varied(images, training=True), labels))
        .prefetch(2)
    )
    model = Classifier(conv_classifier(data.image_shape, choice.filters), 10)
    steps = choice.epochs * math.ceil(len(data.train) / BATCH_SIZE)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    optimizer = keras.optimizers.Adam(schedule)  # pyright: ignore[reportArgumentType]
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    started = time.time()
    model.fit(batches, shuffle=False, epochs=choice.epochs, verbose=2)
    return model, (time.time() - started) / 60


def publish(data: str, folder: Path) -> dict[str, Any]:
    """Trains, writes the preset `classifier_DATA` below `folder`, and returns its entry in the registry there.

    Raises:
        ZooError: There is no classifier for these data.
    """
    import numpy as np

    from recipes.data import load
    from recipes.publish import register
    from zoo import presets
    from zoo.validation import check_choice

    choice, name = CHOICES[check_choice(data, CHOICES, "data")], f"classifier_{data}"
    model, minutes = train(data)
    training = {"epochs": choice.epochs, "minutes": minutes}
    details = {"data": data, "training": training}
    target = folder / name
    presets.save_to_preset(model, target, "float16", **details)
    stored, images = presets.load(target), load(data)
    accuracy = float(np.mean(stored.logits(images.test).argmax(axis=1) == images.test_labels))
    figures = {
        "accuracy": accuracy,
        "standard_error": math.sqrt(accuracy * (1 - accuracy) / len(images.test)),
        "images": len(images.test),
        "data": data,
        "split": "test",
    }
    card = _CARD.format(
        name=name,
        description=choice.description,
        source=choice.source,
        mirrors=", mirrors" if choice.mirrored else "",
        shape=f"[n, {', '.join(map(str, images.image_shape))}]",
        parameters=stored.count_params(),
        seed=SEED,
        **figures,
        **training,
    )
    shutil.rmtree(target)
    presets.save_to_preset(model, target, "float16", card, **details, figures=figures)
    return register(folder, name, choice.description)


if __name__ == "__main__":
    import_tensorflow_quietly()
    from zoo import presets

    print(json.dumps(publish(sys.argv[1], presets.FOLDER), indent=2))
