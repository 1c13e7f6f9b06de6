"""Leaves one digit of MNIST out, trains on the nine others, and sees whether the tenth is told from them.

    python -m recipes.studies.anomaly docs/anomaly.md [DIGIT ...]

For each digit an energy-based model and a VAE are trained, and an isolation forest is fitted, on the training images of
the other nine; all test images are scored, and the area under the ROC curve is that of the digit left out against the
rest. Results are kept in a file beside the page, so that a run that was interrupted goes on.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from recipes.quiet import import_tensorflow_quietly

EPOCHS, BATCH, SEED = 3, 128, 0

_HEAD = """# Anomalies

Made by `python -m recipes.studies.anomaly {page}`: one digit of MNIST is left out, models are trained on the training
images of the nine others (seed {seed}, {epochs} epochs), and score all 10,000 test images. The area under the ROC curve
for the digit left out, with its standard error (Hanley and McNeil 1982); 0.5 is chance. The EBM is a `conv_energy`
trained by denoising score matching, its score the energy; the VAE is `conv_encoder` and `conv_decoder` with 16 latents,
its score minus the importance-weighted bound with 20 draws; the isolation forest is that of scikit-learn, with 200
trees, on pixels.

| left out | EBM | VAE | isolation forest |
| --- | --- | --- | --- |
"""


def scores(train: np.ndarray, test: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how odd each test image [n, height, width, 1] is, by methods that know training images alone."""
    import keras
    from sklearn.ensemble import IsolationForest

    import zoo
    from zoo.ebm.objectives import DenoisingScoreMatching

    shape = train.shape[1:]
    keras.utils.set_random_seed(SEED)
    ebm = zoo.EBM(zoo.networks.conv_energy(shape), DenoisingScoreMatching((0.1, 1.0)), seed=SEED)
    vae = zoo.VAE(zoo.networks.conv_encoder(shape), zoo.networks.conv_decoder(16, shape), seed=SEED)
    steps = EPOCHS * math.ceil(len(train) / BATCH)
    for model in (ebm, vae):
        decay = keras.optimizers.schedules.CosineDecay(1e-3, steps)
        model.compile(keras.optimizers.Adam(decay))  # pyright: ignore[reportArgumentType]
        model.fit(train, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    forest = IsolationForest(n_estimators=200, random_state=SEED).fit(train.reshape(len(train), -1))
    return {
        "EBM": ebm.anomaly_score(test),
        "VAE": -vae.log_likelihood(test, 20, seed=SEED).per_image,
        "isolation forest": -forest.score_samples(test.reshape(len(test), -1)),
    }


def area_error(area: float, positive: int, negative: int) -> float:
    """Returns the standard error of an area under the ROC curve (Hanley and McNeil 1982, equation 1)."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positive - 1) * (first - area**2) + (negative - 1) * (second - area**2)
    return math.sqrt(variance / (positive * negative))


def left_out(digit: int, data: Any) -> dict[str, list[float]]:
    """Returns the area for each method and its standard error, with one digit left out of training."""
    from sklearn.metrics import roc_auc_score

    odd = data.test_labels == digit
    found = {}
    for name, score in scores(data.train[data.train_labels != digit], data.test).items():
        area = float(roc_auc_score(odd, score))
        found[name] = [area, area_error(area, int(odd.sum()), int((~odd).sum()))]
    return found


def page_of(results: dict[str, dict[str, list[float]]], page: Path) -> str:
    """Returns the table as Markdown, with the mean over digits."""
    rows = []
    for digit, found in sorted(results.items()):
        rows.append(f"| {digit} | " + " | ".join(f"{area:.3f} +- {error:.3f}" for area, error in found.values()) + " |")
    means = [np.mean([found[name][0] for found in results.values()]) for name in next(iter(results.values()))]
    rows.append("| mean | " + " | ".join(f"**{mean:.3f}**" for mean in means) + " |")
    return _HEAD.format(page=page, seed=SEED, epochs=EPOCHS) + "\n".join(rows) + "\n"


def main(page: Path, digits: list[int]) -> None:
    """Goes through digits that were not done, and writes the page."""
    from recipes.data import load
    from recipes.settings import ImageSettings
    from zoo.files import write_text

    kept, data = page.with_suffix(".json"), load("mnist", ImageSettings())
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    for digit in digits:
        if str(digit) not in results:
            results[str(digit)] = left_out(digit, data)
            print(digit, results[str(digit)], flush=True)
            write_text(kept, json.dumps(results, indent=2) + "\n")
    write_text(page, page_of(results, page))


if __name__ == "__main__":
    import_tensorflow_quietly()
    main(Path(sys.argv[1]), [int(digit) for digit in sys.argv[2:]] or list(range(10)))
