"""Makes a preset of a finished run: weights, card and registry, with figures measured on what is stored.

    python -m recipes.publish runs/vae_mnist vae_mnist [DRAWS]

The weights are stored as float16; the model is then loaded from them like any user's, and evaluated.
"""

import json
import sys
from pathlib import Path
from typing import Any

from recipes.quiet import import_tensorflow_quietly

DRAWS = 1000

_CARD = """# {name}

{description} A {kind} with {parameters:,} parameters, stored as float16.

## How good it is

Test negative log-likelihood: **{nll:.2f} +- {standard_error:.2f} nats** an image, the {estimator},
with {draws:,} draw(s) for each of {images:,} test images. The error is the standard error over images.
It is the likelihood of {likelihood_of}; each test image was made so once (seed {seed}).
{judgement}The figures are of the stored weights. To measure them again:

    zoo evaluate {name} --data {data} --draws {draws}{options}

## How it was made

    zoo train {recipe}

{epochs} epochs in {minutes:.0f} minutes (checkpoints aside) on two CPU cores, seed {train_seed}.
The weights are an exponential moving average over about the last thousand steps.
{held_out:,} of the training images were held out to watch the bound;
nothing was chosen by them or by the test images.

## Data and use

{data_note}
It knows nothing else: expect digits, and nonsense for other images.
Pixels of `sample` and `decode` are probabilities of white, not draws.

    import zoo

    model = zoo.{kind}.from_preset("{name}")
    images = model.sample(16, seed=0)

Licence: MIT.
"""

_DATA_NOTES = {
    "mnist": (
        "Trained on MNIST (Y. LeCun, C. Cortes and C. Burges; CC BY-SA 3.0): 28x28 grey images of handwritten digits."
    ),
}


_JUDGEMENT = """
Asked for each digit in turn, it drew the one asked for in
**{conditional_accuracy:.2%} +- {conditional_accuracy_error:.2%}** of {conditional_accuracy_samples:,} samples,
in the eyes of the preset `{classifier}`, which had no part in training.

"""
_CLASSIFIERS = {"mnist": "classifier_mnist"}


def publish(run: Path, name: str, folder: Path, draws: int = DRAWS) -> dict[str, Any]:
    """Writes the preset `name` below `folder`, and its entry in the registry there.

    Args:
        run: A finished run folder.
        name: What the preset is called.
        folder: Where presets are.
        draws: Importance draws an image.

    Returns:
        The entry in the registry.
    """
    from recipes.data import load
    from recipes.evaluate import evaluate
    from recipes.models import open_model
    from recipes.registry import description_of
    from recipes.run_folder import RunFolder, read_settings
    from zoo import presets

    settings, opened = read_settings(run), open_model(str(run))
    training = dict(zip(("epochs", "minutes"), RunFolder(run).training_time(), strict=True))
    details = {"data": settings.data, "settings": settings.model_dump(mode="json"), "training": training}
    target = folder / name
    presets.save_to_preset(opened.model, target, "float16", **details)
    stored = presets.from_preset(target)
    data = load(settings.data, settings.image)
    classifier = None if stored.num_classes is None else _CLASSIFIERS[settings.data]
    figures = evaluate(
        stored, data.test, settings.data, draws, verbose=True, labels=data.test_labels, classifier=classifier
    )
    card = _CARD.format(
        **figures,
        name=name,
        description=description_of(settings.recipe),
        kind=type(stored).__name__,
        parameters=stored.count_params(),
        recipe=settings.recipe,
        **training,
        train_seed=settings.train.seed,
        held_out=settings.train.validation,
        data_note=_DATA_NOTES[settings.data],
        judgement=_JUDGEMENT.format(**figures) if classifier else "",
        options=f" --classifier {classifier}" if classifier else "",
    )
    for file in target.iterdir():
        file.unlink()
    presets.save_to_preset(opened.model, target, "float16", card, **details, figures=figures)
    return register(folder, name, description_of(settings.recipe))


def register(folder: Path, name: str, description: str) -> dict[str, Any]:
    """Writes what is known of a preset folder to the registry beside it, and returns it."""
    from zoo import presets
    from zoo.files import sha256, write_text

    saved = json.loads((folder / name / presets.METADATA).read_text(encoding="utf-8"))
    files = {**saved["files"], presets.METADATA: sha256(folder / name / presets.METADATA)}
    entry = {
        "description": description,
        "class": saved["class"],
        "parameters": saved["parameters"],
        "bytes": (folder / name / presets.WEIGHTS).stat().st_size,
        "data": saved["data"],
        "figures": saved["figures"],
        "files": files,
    }
    file = folder / "registry.json"
    entries = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    write_text(file, json.dumps({**entries, name: entry}, indent=2, sort_keys=True) + "\n")
    return entry


if __name__ == "__main__":
    import_tensorflow_quietly()
    from zoo import presets

    given = [int(value) for value in sys.argv[3:4]]
    print(json.dumps(publish(Path(sys.argv[1]), sys.argv[2], presets.FOLDER, *given), indent=2))
