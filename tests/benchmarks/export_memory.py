"""Peak memory of making the ONNX file of a network of dense layers, beside its weights.

python tests/benchmarks/export_memory.py [UNITS]
"""

import os
import resource
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

import export


def peak() -> float:
    """Returns the largest resident size so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(units: int) -> None:
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(units, use_bias=False), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((64,)), *layers])
    weights, before = model.count_params() * 4 / 2**30, peak()
    with tempfile.TemporaryDirectory() as folder:
        export.save(model, Path(folder, "bundle"), "onnx")
    taken = peak() - before
    ratio = taken / weights
    print(f"weights {weights:.3f} GiB, peak {peak():.2f} GiB, {before:.2f} before: {ratio:.1f} times the weights")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8192)
