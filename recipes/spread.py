"""The mean and spread of figures over runs of one recipe with several seeds.

for seed in 0 1 2; do zoo train gan_mnist --set train.seed=$seed -o runs/gan_mnist_$seed; done
python -m recipes.spread runs/gan_mnist_0 runs/gan_mnist_1 runs/gan_mnist_2
"""

import json
import sys
from pathlib import Path

import numpy as np

from recipes.run_folder import RunFolder, read_settings
from zoo.errors import ZooError

_NAMES = (
    "nll",
    "frechet_distance",
    "train_frechet_distance",
    "kernel_distance",
    "precision",
    "train_precision",
    "recall",
    "train_recall",
    "density",
    "coverage",
    "conditional_accuracy",
)


def spread(runs: list[Path]) -> str:
    """Returns a line for each figure that all runs have: every value, the mean and the standard deviation.

    Raises:
        ZooError: There are fewer than two runs, one is not finished, or they differ in more than the seed.
    """
    if len(runs) < 2:
        raise ZooError("a spread needs at least two runs.")
    settings, figures, minutes = [], [], []
    for run in runs:
        if not RunFolder(run).evaluation_file.is_file():
            raise ZooError(f"{run} is no finished run. Go on with it: zoo train RECIPE -o {run} --resume")
        found = read_settings(run)
        settings.append(found.model_copy(update={"train": found.train.model_copy(update={"seed": 0})}))
        figures.append(json.loads(RunFolder(run).evaluation_file.read_text(encoding="utf-8")))
        minutes.append(RunFolder(run).training_time()[1])
    if any(each != settings[0] for each in settings):
        raise ZooError("the runs differ in more than train.seed: compare runs of one recipe.")
    for each in figures:
        if "class_shares" in each:
            each["smallest class"], each["largest class"] = min(each["class_shares"]), max(each["class_shares"])
    names = [name for name in (*_NAMES, "smallest class", "largest class") if all(name in each for each in figures)]
    lines = [f"{settings[0].recipe}, {len(runs)} runs, {', '.join(f'{value:.0f}' for value in minutes)} minutes"]
    for name in names:
        values = np.array([each[name] for each in figures])
        shown = ", ".join(f"{value:.4f}" for value in values)
        lines.append(f"{name:24}{values.mean():10.4f} +- {values.std(ddof=1):.4f}   ({shown})")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        print(spread([Path(run) for run in sys.argv[1:]]))
    except ZooError as error:
        raise SystemExit(f"error: {error}") from None
