"""Runs chains of an energy-based model from MNIST test images, and sees whether they stay digits.

    python -m recipes.studies.long_chains ebm_mnist chains.png [IMAGES]

Prints the Frechet distance between where chains are and the test set, in the features of `classifier_mnist`, after 200
and after 2,000 steps, and the energies there; the picture has the same chains as rows, at 0, 200 and 2,000 steps.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from recipes.quiet import import_tensorflow_quietly

STEPS, IMAGES, AT_ONCE, SHOWN, SEED = (200, 2000), 2000, 250, 12, 0


def positions_after(model: Any, images: np.ndarray, steps: int) -> np.ndarray:
    """Returns where chains of the model's sampler are that start at images [n, height, width, channels]."""
    import tensorflow as tf

    @tf.function(autograph=False)
    def run(start: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        return model.chain(start, steps, SEED, first=first)  # so that long chains begin as short ones

    firsts = range(0, len(images), AT_ONCE)
    parts = [run(tf.constant(images[i : i + AT_ONCE]), tf.constant(i, tf.int64)).numpy() for i in firsts]
    return np.clip(np.concatenate(parts), 0, 1)


def main(name: str, picture: Path, count: int = IMAGES) -> None:
    """Prints the figures and saves the picture."""
    import zoo
    from recipes.data import load
    from recipes.models import open_model
    from recipes.output import save_images
    from recipes.settings import ImageSettings
    from zoo.metrics import frechet_distance

    model, judge = open_model(name).model, zoo.metrics.Classifier.from_preset("classifier_mnist")
    data = load("mnist", ImageSettings())
    images, real = data.test[:count], judge.features(data.test)
    rows = [images[:SHOWN]]
    base = frechet_distance(real, judge.features(data.train[:count]))
    print(f"{count:,} training images: Frechet distance {base.value:.2f} +- {base.standard_error:.2f}")
    for steps in STEPS:
        ends = positions_after(model, images, steps)
        rows.append(ends[:SHOWN])
        found, energies = frechet_distance(real, judge.features(ends)), model.energy(ends)
        same = (judge.logits(ends).argmax(axis=1) == judge.logits(images).argmax(axis=1)).mean()
        print(
            f"after {steps:,} steps: Frechet distance {found.value:.2f} +- {found.standard_error:.2f}, energy "
            f"{energies.mean():.3f} (standard deviation {energies.std():.3f}; test images "
            f"{model.energy(images).mean():.3f}), seen as the same digit {same:.1%}",
            flush=True,
        )
    save_images(np.concatenate(rows), picture, columns=SHOWN)


if __name__ == "__main__":
    import_tensorflow_quietly()
    main(sys.argv[1], Path(sys.argv[2]), *[int(count) for count in sys.argv[3:4]])
