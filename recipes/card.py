"""The card of a preset: how good it is, how that was measured, how it was made, what it is for."""

from typing import Any

from recipes.figures import draws, of_prior
from recipes.model_settings import GANSettings
from recipes.settings import Settings
from zoo.errors import a_kind
from zoo.model import GenerativeModel

_CARD = """# {name}

{description} {a_kind} with {parameters:,} parameters, stored as float16.

## How good it is

{figures}
The figures are of the stored weights. To measure them again:

    zoo evaluate {name} --data {data}{options}

## How it was made

    zoo train {recipe}

{epochs} epochs{of_prior} in {minutes:.0f} minutes (checkpoints aside{computing}) on two CPU cores, seed {train_seed}.
{averaged}
{held_out:,} of the training images were held out to watch;
nothing was chosen by them or by the test images.

## Data and use

{data_note}
It knows nothing else: expect digits, and nonsense for other images.
{pixels}

    import zoo

    model = zoo.{kind}.from_preset("{name}")
    images = model.sample(16, seed=0{label})

Licence: MIT.
"""

_LIKELIHOOD = """Test negative log-likelihood: **{nll:.2f} +- {standard_error:.2f} nats** an image, the {estimator},
with {drawn} for {each}{images:,} test images. {error}
It is the likelihood of {likelihood_of}; each test image was made so once (seed {seed}).
"""

_OVER_IMAGES = "The error is the standard error over images."
_BOUNDED = """The error is that over images and over runs for log Z.
With the bounds of log Z by runs from both directions it lies between {low:.2f} and {high:.2f} in expectation."""

_SAMPLES = """{samples:,} samples (seed {seed}{in_turn}), and as many training images, against {real_images:,} {data}
test images, in the features of `{features}` (resizing: {resizing}), which had no part in training; {neighbours}
neighbours; kernel distance in blocks of {kernel_block:,}:

| | samples | training images |
| --- | --- | --- |
{rows}
"""

_CLASSES = "Shares of the classes among the samples: {shares}.\n"

_AGREEMENT = """
Asked for each class in turn, it drew the one asked for in
**{conditional_accuracy:.2%} +- {conditional_accuracy_error:.2%}** of {samples:,} samples, in the eyes of that network.
"""

_PROBABILITIES = "Pixels of `sample` and `{other}` are probabilities of white, not draws."
_RESTORES = "`anomaly_score` tells what is not of its kind; `restore` removes noise and fills in what is missing."
_USES = {
    "gan": "`generate` makes images of latents, `project` finds the latents of images.",
    "rbm": _PROBABILITIES.format(other="reconstruct"),
    "ebm": _RESTORES,
    "jem": _RESTORES,
    "score": _RESTORES,
}

_DATA_NOTES = {
    "mnist": (
        "Trained on MNIST (Y. LeCun, C. Cortes and C. Burges; CC BY-SA 3.0): 28x28 grey images of handwritten digits."
    ),
}


def card(
    name: str,
    description: str,
    model: GenerativeModel,
    settings: Settings,
    training: dict[str, Any],
    figures: dict[str, Any],
) -> str:
    """Returns the card as Markdown.

    Args:
        name: The preset.
        description: One line.
        model: What is stored.
        settings: Those of the run.
        training: "epochs", "minutes", and "core_minutes" where these are known.
        figures: As `recipes.evaluate.evaluate` returns them.
    """
    return _CARD.format(
        name=name,
        description=description,
        kind=type(model).__name__,
        a_kind=a_kind(model).replace("a", "A", 1),
        parameters=model.count_params(),
        figures=_figures(figures, model.num_classes is not None),
        data=settings.data,
        options=f" --draws {figures['draws']}" if "draws" in figures else "",
        recipe=settings.recipe,
        **training,
        computing=_computing(training.get("core_minutes")),
        of_prior=of_prior(settings),
        train_seed=settings.train.seed,
        averaged=_averaged(settings),
        held_out=settings.train.validation,
        label="" if model.num_classes is None else ", label=3",
        data_note=_DATA_NOTES[settings.data],
        pixels=_USES.get(settings.model.kind, _PROBABILITIES.format(other="decode")),
    )


def _computing(core_minutes: float | None) -> str:
    return "" if core_minutes is None else f"; {core_minutes:.0f} minutes of computing by one"


def _averaged(settings: Settings) -> str:
    if isinstance(settings.model, GANSettings):
        return f"The generator is an exponential moving average with momentum {settings.model.average}."
    return "The weights are an exponential moving average over about the last thousand steps."


def _figures(figures: dict[str, Any], in_turn: bool) -> str:
    parts = []
    if "nll" in figures:
        bounds = figures.get("nll_bounds")
        error = _OVER_IMAGES if bounds is None else _BOUNDED.format(low=bounds[0], high=bounds[1])
        parts.append(
            _LIKELIHOOD.format(drawn=draws(figures), error=error, each="" if bounds else "each of ", **figures)
        )
    if "frechet_distance" in figures:
        names = ("frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage")
        rows = [
            f"| {name.replace('_', ' ')} | {_cell(figures, name)} | {_cell(figures, f'train_{name}')} |"
            for name in names
        ]
        parts.append(_SAMPLES.format(**figures, rows="\n".join(rows), in_turn=", classes in turn" if in_turn else ""))
    if "class_shares" in figures:
        parts.append(_CLASSES.format(shares=", ".join(f"{share:.1%}" for share in figures["class_shares"])))
    if "conditional_accuracy" in figures:
        parts.append(_AGREEMENT.format(**figures))
    return "\n".join(parts)


def _cell(figures: dict[str, Any], name: str) -> str:
    return f"{figures[name]:.4f} +- {figures[f'{name}_error']:.4f}"
