"""Makes the table of likelihoods in the docs from finished runs of the recipes.

    python -m recipes.table runs docs/likelihoods.md

`runs` holds run folders named after their recipes, with the recipes' own settings; others are refused.
"""

import json
import sys
from pathlib import Path
from typing import Any

from recipes import registry
from recipes.figures import given_label, has_levels, nats, of_prior
from recipes.run_folder import RunFolder, read_settings
from zoo.errors import ZooError
from zoo.files import write_text

_HEAD = """# Likelihoods, measured and published

Made from finished runs of the recipes by `python -m recipes.table runs docs/likelihoods.md`; each row by `zoo train
RECIPE`, where "passes" names another recipe with `--set train.start_from=` its run. Figures are of the test split,
importance-weighted bounds (Burda et al. 2016, equation 8) with the draws given, or the plain bound where it says 1
draw; the error is the standard error over test images. Less is better. Presets have figures of their own, of weights
as they are stored, on their cards. A conditional model's figure is of p(x|label); without the label, of equally likely
ones, it may be more by up to the log of their number, 2.30 nats for ten. Nothing was chosen by the test images. Minutes
are those of training on two CPU cores, other work beside it included.

| recipe | what | published | measured | draws | images | parameters | passes | minutes |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def table(runs: Path) -> str:
    """Returns the table as Markdown, a row for each finished run below a folder.

    Raises:
        ZooError: There is none, or a run is not one of its recipe's own settings.
    """
    rows = [_row(name, runs / name) for name in registry.names() if _has_likelihood(runs / name)]
    if not rows:
        raise ZooError(f"{runs} holds no finished run of a recipe. Train one: zoo train vae_burda -o {runs}/vae_burda")
    return _HEAD + "\n".join(rows) + "\n"


def _has_likelihood(run: Path) -> bool:
    file = run / "evaluation.json"
    return file.is_file() and "nll" in json.loads(file.read_text(encoding="utf-8"))


def _row(name: str, run: Path) -> str:
    settings, own = read_settings(run), registry.settings_of(name)
    began, before = settings.train.start_from, registry.begins_from(name)
    if Path(began or "").name != before:
        raise ZooError(
            f"{run} was started from {began or 'nothing'}, expected {before or 'nothing'}: the table has runs of "
            f"{name} as its text gives the command."
        )
    # Where a run began is a place on one's own disk.
    if settings.model_copy(update={"train": settings.train.model_copy(update={"start_from": None})}) != own:
        raise ZooError(f"{run} was trained with other settings than those of the recipe {name}; the table is of those.")
    figures = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    epochs, minutes = RunFolder(run).training_time()
    cells = [
        f"`{name}`",
        registry.description_of(name),
        registry.published_of(name),
        measured(figures),
        f"{figures['draws']:,}",
        f"{figures['images']:,}",
        f"{registry.parameters_of(name):,}",
        f"{epochs:,}{of_prior(settings)}" + (f" after `{before}`" if before else ""),
        f"{minutes:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def measured(figures: dict[str, Any]) -> str:
    """Returns a figure with its standard error: nats for binary pixels, bits per dimension for others."""
    if not has_levels(figures):
        return nats(figures) + given_label(figures)
    scale = figures["bits_per_dimension"] / figures["nll"]
    bits, error = figures["bits_per_dimension"], scale * figures["standard_error"]
    return f"{bits:.3f} +- {error:.3f} bits/dim{given_label(figures)}"


if __name__ == "__main__":
    try:
        write_text(Path(sys.argv[2]), table(Path(sys.argv[1])))
    except ZooError as error:
        raise SystemExit(f"error: {error}") from None
