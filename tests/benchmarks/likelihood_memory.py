"""Peak memory of the likelihood of a convolutional model, which stays flat whatever is asked for.

python tests/benchmarks/likelihood_memory.py [IMAGES DRAWS]

The largest resident size of the whole process, TensorFlow included, before and after `log_likelihood` of the preset
`vae_mnist` on random images. 10,000 images with 5,000 draws, the whole of a published protocol, take most of an hour.
"""

import resource
import sys

import numpy as np

import zoo


def peak() -> float:
    """Returns the largest resident size so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    count, draws = (int(value) for value in sys.argv[1:3]) if len(sys.argv) == 3 else (300, 1000)
    model = zoo.from_preset("vae_mnist")
    images = np.random.default_rng(0).random((count, *model.image_shape), np.float32)
    before = peak()
    model.log_likelihood(images, num_samples=draws, verbose=True)
    print(f"{count:,} images, {draws:,} draws: peak {peak():.2f} GiB, of which {before:.2f} before")
