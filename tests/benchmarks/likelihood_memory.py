"""Peak memory of the likelihood of a convolutional model, which stays flat whatever is asked for.

python tests/benchmarks/likelihood_memory.py [RECIPE IMAGES DRAWS]

The largest resident size of the whole process, TensorFlow included, before and after `log_likelihood` of the recipe's
model, untrained, on random images. 10,000 images with 5,000 draws of `vae_mnist`, the whole of a published protocol,
take most of an hour.
"""

import resource
import sys

import numpy as np

from recipes import registry
from recipes.build import build
from recipes.data import Dataset


def peak() -> float:
    """Returns the largest resident size so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(recipe: str, count: int, draws: int) -> None:
    settings = registry.settings_of(recipe)
    side, channels = (32, 3) if "cifar10" in settings.data else (28, 1)
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, channels)).astype(np.float32) / 255
    model = build(settings.model, Dataset(settings.data, images, images), seed=0)
    before = peak()
    model.log_likelihood(images, num_samples=draws, verbose=True)
    print(f"{recipe}, {count:,} images, {draws:,} draws: peak {peak():.2f} GiB, of which {before:.2f} before")


if __name__ == "__main__":
    name, count, draws = sys.argv[1:] or ("vae_mnist", "300", "1000")
    main(name, int(count), int(draws))
