"""The main job from end to end, on real handwritten digits that need no download.

    make demo

Trains a VAE, evaluates it, draws, exports, checks what was exported, and samples from a pretrained model.
"""

import json
import shutil
import time
from pathlib import Path

from recipes.figures import headline
from recipes.quiet import import_tensorflow_quietly

FOLDER = Path("runs/demo")


def main(folder: Path = FOLDER) -> None:
    """Runs the demo and leaves its results in `folder`, replacing those of an earlier one."""
    started = time.time()
    import_tensorflow_quietly()
    import export
    import zoo
    from recipes.output import save_images
    from recipes.registry import settings_of
    from recipes.run_folder import RunFolder
    from recipes.train import load_data, train

    shutil.rmtree(folder, ignore_errors=True)
    settings = settings_of("vae_digits")
    print("1/4 training a VAE on scikit-learn's handwritten digits")
    run = RunFolder(folder / "run")
    model = train(settings, run.path)
    figures = json.loads(run.evaluation_file.read_text(encoding="utf-8"))

    print("2/4 drawing samples and reconstructions")
    test = load_data(settings).test[:32]
    save_images(model.sample(64, seed=0), folder / "samples.png")
    save_images(export.side_by_side(test, model.reconstruct(test)), folder / "reconstructions.png", columns=8)

    print("3/4 exporting SavedModel and ONNX, and checking them against Keras")
    notes = f"Trained on scikit-learn's handwritten digits. Test figures: {headline(figures)}."
    manifest = export.save(model, folder / "bundle", notes=notes)
    bundle = export.load(folder / "bundle")
    difference = float(abs(bundle.sample(64, seed=0) - model.sample(64, seed=0)).max())

    print("4/4 loading the pretrained vae_mnist")
    pretrained = zoo.from_preset("vae_mnist")
    save_images(pretrained.sample(64, seed=0), folder / "pretrained_samples.png")

    seconds = time.time() - started
    metrics = {"evaluation": figures, "parity": manifest["parity"], "sample_difference": difference, "seconds": seconds}
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    _print_table(folder, figures, manifest["parity"], difference, seconds)


def _print_table(folder: Path, figures: dict, parity: dict, difference: float, seconds: float) -> None:
    from rich.console import Console
    from rich.table import Table

    worst = max(value for found in parity.values() for value in found.values())
    table = Table(title=f"made in {seconds:.0f} s", title_justify="left")
    for heading in ("what", "where", "figure"):
        table.add_column(heading, overflow="fold")
    nll = headline(figures)
    for row in (
        ("trained VAE", "run/model.keras", nll),
        ("samples", "samples.png", "64 new digits"),
        ("reconstructions", "reconstructions.png", "32 test digits, each above its copy"),
        ("bundle", "bundle/", f"{len(parity)} signatures, worst difference to Keras {worst:.0e}"),
        ("", "bundle/onnx/sample.onnx", f"same seed, same images: within {difference:.0e}"),
        ("pretrained vae_mnist", "pretrained_samples.png", "64 new digits"),
        ("all figures", "metrics.json", ""),
    ):
        table.add_row(row[0], f"{folder}/{row[1]}", row[2])
    Console(soft_wrap=True).print(table)


if __name__ == "__main__":
    main()
