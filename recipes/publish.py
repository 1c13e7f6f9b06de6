"""Makes a preset of a finished run: weights, card and registry, with figures measured on what is stored.

    python -m recipes.publish runs/vae_mnist vae_mnist [DRAWS]

Without a run, the card of a preset is written anew, from what is known of it:

    python -m recipes.publish vae_mnist

The weights are stored as float16; the model is then loaded from them like any user's, and evaluated.
"""

import json
import sys
from pathlib import Path
from typing import Any

from recipes.quiet import import_tensorflow_quietly

DRAWS = 1000


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
    from recipes.card import card
    from recipes.data import load
    from recipes.evaluate import evaluate
    from recipes.models import open_model, open_network
    from recipes.registry import description_of
    from recipes.run_folder import RunFolder, read_settings
    from zoo import presets

    settings, opened = read_settings(run), open_model(str(run))
    training: dict[str, Any] = dict(zip(("epochs", "minutes"), RunFolder(run).training_time(), strict=True))
    training |= {"core_minutes": RunFolder(run).core_minutes()}
    details = {"data": settings.data, "settings": settings.model_dump(mode="json"), "training": training}
    target = folder / name
    presets.save_to_preset(opened.model, target, "float16", **details)
    stored = presets.from_preset(target)
    data = load(settings.data, settings.image)
    network = open_network(settings.evaluate.features, settings.data)
    figures = evaluate(stored, data, draws, verbose=True, network=network)
    text = card(name, description_of(settings.recipe), stored, settings, training, figures)
    for file in target.iterdir():
        file.unlink()
    presets.save_to_preset(opened.model, target, "float16", text, **details, figures=figures)
    return register(folder, name, description_of(settings.recipe))


def card_of(target: Path) -> str:
    """Returns the card of a preset folder that `publish` wrote, from its metadata."""
    from recipes.card import card
    from recipes.registry import description_of
    from recipes.settings import Settings
    from zoo import presets

    known, model = presets.metadata(target), presets.from_preset(target)
    settings = Settings.model_validate(known["settings"])
    description = description_of(settings.recipe)
    return card(target.name, description, model, settings, known["training"], known["figures"])


def write_card(target: Path) -> None:
    """Writes the card of a preset folder anew, with its hashes and its entry in the registry beside it."""
    from recipes.registry import description_of
    from zoo import presets
    from zoo.files import sha256, write_text

    write_text(target / presets.CARD, card_of(target))
    known = json.loads((target / presets.METADATA).read_text(encoding="utf-8"))
    known["files"][presets.CARD] = sha256(target / presets.CARD)
    write_text(target / presets.METADATA, json.dumps(known, indent=2) + "\n")
    register(target.parent, target.name, description_of(known["settings"]["recipe"]))


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
    presets.registry.cache_clear()  # this process has read it already
    return entry


if __name__ == "__main__":
    import_tensorflow_quietly()
    from zoo import presets

    given = [int(value) for value in sys.argv[3:4]]
    if len(sys.argv) == 2:
        write_card(presets.FOLDER / sys.argv[1])
    else:
        print(json.dumps(publish(Path(sys.argv[1]), sys.argv[2], presets.FOLDER, *given), indent=2))
