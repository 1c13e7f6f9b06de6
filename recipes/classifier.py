"""Trains the classifier of MNIST's digits by which what models draw is judged, and makes it a preset.

    python -m recipes.classifier classifier_mnist

It sees grey digits, shifted, turned and scaled a little at random: never an image that a model drew.
"""

import json
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from recipes.quiet import import_tensorflow_quietly

DATA, SEED = "mnist", 0
EPOCHS, BATCH_SIZE, LEARNING_RATE = 12, 128, 2e-3
DESCRIPTION = "A convolutional classifier of MNIST's digits, to judge what models draw."

_CARD = """# {name}

{description} {parameters:,} parameters, stored as float16.

## How good it is

Test accuracy: **{accuracy:.2%} +- {standard_error:.2%}** of {images:,} images (mnist test), of the stored weights.
The error is the binomial standard error. Nothing was chosen by the test images.

## How it was made

    python -m recipes.classifier {name}

{epochs} epochs in {minutes:.0f} minutes on two CPU cores, seed {seed}.

## Data and use

Trained on MNIST (Y. LeCun, C. Cortes and C. Burges; CC BY-SA 3.0), with small random shifts, turns and scales.
`logits` and `features` (128, below the logits) take grey images [n, 28, 28, 1] in [0, 1].

    from zoo.metrics import Classifier, conditional_accuracy

    classifier = Classifier.from_preset("{name}")
    conditional_accuracy(model, classifier.logits)

Licence: MIT.
"""


def train() -> tuple[Any, float]:
    """Returns a classifier trained on MNIST, and the minutes that it took."""
    import keras
    import tensorflow as tf

    from recipes.data import load
    from zoo.metrics import Classifier
    from zoo.networks import conv_classifier

    keras.utils.set_random_seed(SEED)
    data = load(DATA)
    varied = keras.Sequential(
        [
            keras.layers.RandomTranslation(0.08, 0.08, fill_mode="constant", seed=SEED),
            keras.layers.RandomRotation(0.03, fill_mode="constant", seed=SEED),
            keras.layers.RandomZoom(0.1, 0.1, fill_mode="constant", seed=SEED),
        ]
    )
    images_and_labels: Any = (data.train, data.train_labels)
    batches = (
        tf.data.Dataset.from_tensor_slices(images_and_labels)
        .shuffle(len(data.train), seed=SEED)
        .batch(BATCH_SIZE)
        .map(lambda images, labels: (varied(images, training=True), labels))
        .prefetch(2)
    )
    model = Classifier(conv_classifier(data.image_shape), 10)
    steps = EPOCHS * math.ceil(len(data.train) / BATCH_SIZE)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    optimizer = keras.optimizers.Adam(schedule)  # pyright: ignore[reportArgumentType]
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    started = time.time()
    model.fit(batches, shuffle=False, epochs=EPOCHS, verbose=2)
    return model, (time.time() - started) / 60


def publish(name: str, folder: Path) -> dict[str, Any]:
    """Trains, writes the preset `name` below `folder`, and returns its entry in the registry there."""
    import numpy as np

    from recipes.data import load
    from recipes.publish import register
    from zoo import presets

    model, minutes = train()
    training = {"epochs": EPOCHS, "minutes": minutes}
    details = {"data": DATA, "training": training}
    target = folder / name
    presets.save_to_preset(model, target, "float16", **details)
    stored, data = presets.load(target), load(DATA)
    accuracy = float(np.mean(stored.logits(data.test).argmax(axis=1) == data.test_labels))
    figures = {
        "accuracy": accuracy,
        "standard_error": math.sqrt(accuracy * (1 - accuracy) / len(data.test)),
        "images": len(data.test),
        "data": DATA,
        "split": "test",
    }
    parameters = stored.count_params()
    card = _CARD.format(name=name, description=DESCRIPTION, parameters=parameters, seed=SEED, **figures, **training)
    shutil.rmtree(target)
    presets.save_to_preset(model, target, "float16", card, **details, figures=figures)
    return register(folder, name, DESCRIPTION)


if __name__ == "__main__":
    import_tensorflow_quietly()
    from zoo import presets

    print(json.dumps(publish(sys.argv[1], presets.FOLDER), indent=2))
