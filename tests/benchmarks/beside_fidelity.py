"""The zoo's distances beside torch-fidelity's and prdc's, on the same features; they agree to 1e-4 relative.

    python3 -m venv /tmp/fidelity && /tmp/fidelity/bin/pip install torch torchvision torch-fidelity prdc
    ZOO_DATA_DIR=... python tests/benchmarks/beside_fidelity.py /tmp/fidelity/bin/python

Features are those of `classifier_mnist`: 3,000 MNIST test images as they are, and 3,000 training images with noise.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from zoo.metrics.kernel import shuffled

COUNT, BLOCK, K = 3000, 1000, 5
PEERS = f"""
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import torch
from prdc import compute_prdc
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kernel_poly, mmd2

arrays = np.load(sys.argv[1])
real, generated = arrays["real"].astype(np.float64), arrays["generated"].astype(np.float64)
statistics = [fid_features_to_statistics(torch.tensor(each)) for each in (real, generated)]
found = {{"frechet": fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]}}
options = {{"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1.0}}
blocks = [slice(start, start + {BLOCK}) for start in range(0, len(real), {BLOCK})]
one, two = (arrays[name].astype(np.float64) for name in ("real_blocks", "generated_blocks"))
found["kernel"] = float(np.mean([
    mmd2(*(kernel_poly(a[b], c[b], **options) for a, c in ((one, one), (one, two), (two, two))))
    for b in blocks
]))
found.update({{name: float(value) for name, value in compute_prdc(real, generated, {K}).items()}})
print(json.dumps(found))
"""


def features() -> dict[str, np.ndarray]:
    """Returns features of real images and of ones with noise, float32 [COUNT, 128] each."""
    from recipes.data import load
    from zoo.metrics import Classifier

    data, classifier = load("mnist"), Classifier.from_preset("classifier_mnist")
    noise = np.random.default_rng(0).normal(0, 0.1, (COUNT, 28, 28, 1))
    noisy = np.clip(data.train[:COUNT] + noise, 0, 1).astype(np.float32)
    return {"real": classifier.features(data.test[:COUNT]), "generated": classifier.features(noisy)}


def ours(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Returns the zoo's figures."""
    from zoo.metrics import fidelity_and_diversity, frechet_distance, kernel_distance

    real, generated = arrays["real"], arrays["generated"]
    shares = fidelity_and_diversity(real, generated, K)._asdict()
    return {
        "frechet": frechet_distance(real, generated).value,
        "kernel": kernel_distance(real, generated, BLOCK).value,
        **{name: estimate.value for name, estimate in shares.items()},
    }


def main() -> None:
    """Prints a line a figure, and fails where two differ."""
    arrays = features()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.npz"
        np.savez(file, **arrays, **{f"{name}_blocks": shuffled(each) for name, each in arrays.items()})
        done = subprocess.run([sys.argv[1], "-c", PEERS, file], capture_output=True, text=True, check=True)
    found, expected = ours(arrays), json.loads(done.stdout.splitlines()[-1])
    for name, value in expected.items():
        print(f"{name:10} ours {found[name]:.8g}  theirs {value:.8g}  apart {abs(found[name] / value - 1):.1e}")
    assert all(abs(found[name] / value - 1) < 1e-4 for name, value in expected.items())


if __name__ == "__main__":
    main()
