"""The command line `zoo`. TensorFlow is imported by the commands that need it, not before."""

import dataclasses
import errno
import inspect
import json
import signal
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from export.errors import ExportError
from recipes.figures import headline, sample_table
from recipes.quiet import import_tensorflow_quietly
from zoo.errors import ZooError

_INTERRUPTED = 130  # the exit code, as shells have it
_UsageError: Any = typer.BadParameter.__base__  # of all that is wrong with options and arguments

app = typer.Typer(
    help="Generative models for Keras: train, evaluate, sample, export.",
    epilog="Example: zoo sample vae_mnist -n 64 --seed 0 -o samples.png",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[str, typer.Argument(help="A preset name, a .keras file or a run folder.")]
Data = Annotated[
    str | None,
    typer.Option(
        help="digits, mnist, fashion_mnist, cifar10, npz:PATH or folder:PATH, or frey_faces or cifar10_jpeg_subset in "
        "ZOO_DATA_DIR; by default the model's own."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Runs a command; errors that a user can mend are one line, and the exit code is 1."""
    signal.signal(signal.SIGTERM, _end)
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:  # Ctrl-C, as typer tells it; at a question it raises Abort
            print("\nerror: interrupted", file=sys.stderr)
        raise SystemExit(code)
    except typer.Abort:
        print("\nerror: interrupted", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    except _UsageError as error:
        _fail(f"{error.format_message().rstrip('.')}. See zoo --help.")
    except (ZooError, ExportError) as error:
        _fail(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}. {_remedy(error)}")


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # another would come in the way of removing what is half written
    raise SystemExit(128 + signal.SIGTERM)


def _warn(text: str) -> None:
    if text:
        print(f"warning: {text}", file=sys.stderr)


def _remedy(error: OSError) -> str:
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    # HDF5 reports a write that failed as an OSError without a number, but with this in its text.
    if error.errno in full or any(f"errno = {number}" in str(error) for number in full):
        return "The disk is full: free some space, or choose another place with -o."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "This place cannot be written to or read: choose another, or change its permissions."
    return "Check that the path is right, and its disk there."


def _fail(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(1)


@app.command("list", epilog="Example: zoo list --json")
def list_all(as_json: Json = False) -> None:
    """List the presets and the recipes."""
    from recipes import registry
    from zoo import presets

    found = presets.registry()
    if as_json:
        recipes = {
            name: {
                "description": registry.description_of(name),
                "parameters": registry.parameters_of(name),
                "figures": registry.expected_of(name),
            }
            for name in registry.names()
        }
        print(json.dumps({"presets": found, "recipes": recipes}, indent=2))
        return
    width = max(map(len, (*found, *registry.names())))
    print("presets (zoo info NAME; zoo sample NAME, but for classifiers):")
    for name, entry in found.items():
        print(f"  {name:{width}} {entry['class']:15} {entry['bytes'] / 1e6:5.1f} MB  {headline(entry['figures'])}")
    print("recipes (zoo train NAME):")
    for name in registry.names():
        print(f"  {name:{width}} {registry.description_of(name)}")
        expected = headline(registry.expected_of(name))
        print(f"  {'':{width}} {registry.parameters_of(name):,} parameters{expected and f'; expect {expected}'}")


@app.command(epilog="Example: zoo info vae_mnist")
def info(name: Annotated[str, typer.Argument(help="A preset or a recipe.")], as_json: Json = False) -> None:
    """Show all that is known of a preset, or the settings of a recipe."""
    from recipes import registry
    from zoo import presets

    known_preset, known_recipe = name in presets.registry(), name in registry.names()
    if not known_preset and not known_recipe:
        from zoo.errors import near_miss

        known = sorted({*presets.registry(), *registry.names()})
        raise ZooError(f"unknown preset or recipe '{name}'.{near_miss(name, known)} Known: {', '.join(known)}.")
    details: dict[str, Any] = {}
    if known_preset:
        details["preset"] = {**presets.registry()[name], **presets.metadata(name)}
    if known_recipe:
        details["recipe"] = registry.settings_of(name).model_dump(mode="json")
    if as_json:
        print(json.dumps(details, indent=2))
        return
    if known_preset:
        print((presets.FOLDER / name / presets.CARD).read_text(encoding="utf-8"))
    if known_recipe:
        print(f"recipe {name}: {registry.description_of(name)}\n\n{registry.settings_of(name).to_yaml()}")


@app.command(
    epilog="Example: zoo train vae_mnist --data folder:photos --set image.size=28 --set train.epochs=50 -o runs/photos"
)
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe; see zoo list.")],
    data: Data = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The run folder; by default runs/RECIPE.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Check settings, data and model, show them, and stop.")] = False,
    smoke: Annotated[bool, typer.Option(help="One epoch on few images, to see that everything works.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on from the run folder's last checkpoint.")] = False,
) -> None:
    """Train a recipe, and leave a run folder with the model, its figures and samples."""
    from recipes import registry
    from recipes.settings import override
    from recipes.settings import smoke as shortened

    settings = registry.settings_of(recipe)
    given = [*([] if data is None else [f"data={json.dumps(data)}"]), *(assignments or [])]
    if resume and given:
        raise ZooError("--resume goes on with the settings of the run folder: leave --data and --set out.")
    settings = override(shortened(settings) if smoke else settings, given)
    import_tensorflow_quietly()
    from recipes import train as training

    if dry_run:
        print(training.describe(settings))
        return
    folder = out or Path("runs", recipe)
    try:
        training.train(settings, folder, resume=resume)
    except KeyboardInterrupt:
        kept = training.RunFolder(folder).checkpoint.exists()
        advice = (
            f"The last checkpoint is kept; go on with: zoo train {recipe} -o {folder} --resume"
            if kept
            else "There was no checkpoint yet: nothing is kept."
        )
        print(f"\nerror: interrupted. {advice}", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None  # which main adds nothing to
    print(f"{folder}: model.keras, samples/, metrics.jsonl, evaluation.json")


@app.command(epilog="Example: zoo evaluate vae_mnist --data mnist --images 1000")
def evaluate(
    model: Model,
    data: Data = None,
    draws: Annotated[int, typer.Option(min=1, help="Importance draws an image.")] = 1000,
    images: Annotated[
        int | None, typer.Option(min=1, help="Test images for the likelihood, the first ones; by default all.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the draws.")] = 0,
    features: Annotated[
        str | None,
        typer.Option(
            help="What samples are compared with real images in: a classifier among the presets, "
            "inception_v3, a .keras file, or none; by default the classifier of the data where there is one."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=20, help="How many samples are compared.")] = 10_000,
    as_json: Json = False,
) -> None:
    """Measure a model on the test split of its data, or of other data."""
    import_tensorflow_quietly()
    from recipes.data import load
    from recipes.evaluate import check_measurable
    from recipes.evaluate import evaluate as measure
    from recipes.models import open_model, open_network
    from recipes.settings import ImageSettings

    opened = open_model(model)
    _warn(opened.warning)
    spec = data or opened.data
    if spec is None:
        raise ZooError(f"{model} does not say what data it is for. Name them, for example --data mnist")
    image = opened.image
    if spec.startswith("folder:"):
        height, width, channels = opened.model.image_shape
        image = ImageSettings(size=(height, width), channels=channels)
    network = open_network(features, spec)
    check_measurable(opened.model, network)
    loaded = load(spec, image)
    shown = sys.stderr.isatty() and not as_json
    figures = measure(opened.model, loaded, draws, images, seed, shown, network, samples)
    print(json.dumps(figures, indent=2) if as_json else f"{headline(figures)}\n{sample_table(figures)}".rstrip())


@app.command(epilog="Example: zoo sample vae_mnist -n 64 --seed 0 -o samples.png")
def sample(
    model: Model,
    n: Annotated[int, typer.Option("-n", min=1, help="How many images.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal images.")] = 0,
    label: Annotated[
        int | None, typer.Option(min=0, help="The class to draw, for conditional models; by default all in turn.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Spread of the latents: below 1 more typical, less varied.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help=".png draws a grid, .npz saves float32 in [0, 1].")] = Path(
        "samples.png"
    ),
) -> None:
    """Draw images from a model."""
    options = {key: value for key, value in (("label", label), ("temperature", temperature)) if value is not None}
    if out.suffix.lower() not in (".png", ".npz"):
        raise ZooError(f"{out} ends in '{out.suffix}', expected .png (a grid) or .npz (the arrays).")
    import_tensorflow_quietly()
    from recipes.models import open_model
    from recipes.output import save_images

    opened = open_model(model)
    _warn(opened.warning)
    drawing = opened.model.sample
    unknown = set(options) - set(inspect.signature(drawing).parameters)
    if unknown:
        raise ZooError(f"{type(opened.model).__name__} takes no --{unknown.pop()}. Leave it out.")
    save_images(drawing(n, seed=seed, **options), out)
    print(out)


@app.command(epilog="Example: zoo export vae_mnist -o bundle --formats onnx")
def export(
    model: Model,
    out: Annotated[Path, typer.Option("-o", "--out", help="The bundle to make.")],
    formats: Annotated[str, typer.Option(help="Comma-separated: saved_model, onnx.")] = "saved_model,onnx",
    overwrite: Annotated[bool, typer.Option(help="Replace a bundle that is there.")] = False,
    signatures: Annotated[str | None, typer.Option(help="Comma-separated names; by default all.")] = None,
    opset: Annotated[int, typer.Option(help="Of ONNX files, 13 to what ONNX Runtime loads; draws need 18.")] = 18,
    licence: Annotated[
        str, typer.Option("--licence", "--license", help="Of the weights, for the card and ONNX files, such as MIT.")
    ] = "",
    precision: Annotated[str, typer.Option(help="Of ONNX files: float32 or float16.")] = "float32",
    quantize: Annotated[str | None, typer.Option(help="Of ONNX files: int8.")] = None,
    calibrate: Annotated[
        bool, typer.Option(help="With int8: measure ranges on training images, once, and not in each run.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(help="What drift is measured on, of its training split what was held out; see zoo evaluate -h."),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="What drift of samples is measured in; see zoo evaluate -h. none: in pixels.")
    ] = None,
    allow_drift: Annotated[bool, typer.Option(help="Export beyond the budget too, and say so in the card.")] = False,
) -> None:
    """Export a model as a bundle of SavedModel and ONNX files, checked against each other."""
    kind = _kind_of_reduction(precision, quantize)
    given = {"--calibrate": calibrate, "--data": data, "--features": features, "--allow-drift": allow_drift}
    idle = [option for option, value in given.items() if value and kind is None]
    if idle:
        ways = "--quantize int8" if idle[0] == "--calibrate" else "--precision float16 or --quantize int8"
        raise ZooError(f"{idle[0]} is for {ways}. Add that, or leave {idle[0]} out.")
    import_tensorflow_quietly()
    import export as exporting
    from recipes.models import open_model
    from recipes.reducing import reduction_for

    opened = open_model(model, any_model=True)
    reduction = None if kind is None else reduction_for(opened, model, kind, calibrate, data, features, allow_drift)
    notes = f"Test figures: {headline(opened.figures)}." if opened.figures else ""
    chosen = [name.strip() for name in formats.split(",")]
    _warn(opened.warning)
    with warnings.catch_warnings(record=True) as caught:
        manifest = exporting.save(
            opened.model,
            out,
            chosen,
            notes,
            overwrite,
            signatures=None if signatures is None else [name.strip() for name in signatures.split(",")],
            opset=opset,
            licence=licence,
            reduction=reduction,
        )
    for each in caught:
        _warn(str(each.message))
    _print_parity(manifest["parity"])
    _print_reduction(manifest)
    print(out)


@app.command(epilog="Example: zoo lint vae_mnist")
def lint(
    model: Annotated[str, typer.Argument(help="A recipe, a preset name, a .keras file or a run folder.")],
    as_json: Json = False,
) -> None:
    """Say which ops of a model would not convert to ONNX, where they come from, and what to do."""
    from recipes import registry
    from zoo import presets

    untrained = model in registry.names() and model not in presets.registry()
    import_tensorflow_quietly()
    import export as exporting
    from recipes.models import open_model
    from recipes.settings import override
    from recipes.train import build_model, load_data

    if untrained:
        settings = override(registry.settings_of(model), ["train.dtype=float32"])  # as training leaves it
        found = exporting.check_exportable(build_model(settings, load_data(settings)))
    else:
        found = exporting.check_exportable(open_model(model, any_model=True).model)
    if as_json:
        print(json.dumps([dataclasses.asdict(obstacle) for obstacle in found], indent=2))
    else:
        print("\n".join(map(str, found)) or f"{model}: all signatures convert to ONNX")
    raise typer.Exit(1 if found else 0)


@app.command(epilog="Example: zoo verify bundle")
def verify(directory: Annotated[Path, typer.Argument(help="A bundle made by zoo export.")]) -> None:
    """Check a bundle again: hashes, loading, values against the model's, seeds."""
    import_tensorflow_quietly()
    import export as exporting
    from export import manifest as manifests

    _print_parity(exporting.verify(directory))
    _print_reduction(manifests.read(directory))
    print(f"{directory}: all checks passed")


@app.command(epilog="Example: zoo serve bundle --port 8000")
def serve(
    directory: Annotated[Path, typer.Argument(help="A bundle made by zoo export, with ONNX files.")],
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    max_rows: Annotated[int, typer.Option(min=1, help="The most rows of a request, given or drawn.")] = 1024,
    max_axis: Annotated[int, typer.Option(min=1, help="The largest size of any other free axis of an input.")] = 4096,
    max_body: Annotated[int, typer.Option(min=1, help="The largest body of a request, in bytes.")] = 64 * 2**20,
    max_json: Annotated[
        int, typer.Option(min=1, help="Of that, the most JSON: larger tensors have to come as bytes.")
    ] = 2**20,
    max_numbers: Annotated[int, typer.Option(min=1, help="The most numbers of an answer as JSON, not bytes.")] = 2**20,
    max_arriving: Annotated[int, typer.Option(min=1, help="The most bytes of bodies that are incomplete.")] = 2**30,
    timeout: Annotated[float, typer.Option(help="Seconds from a request to its answer.")] = 60.0,
    concurrency: Annotated[int, typer.Option(min=1, help="The most requests in progress, with those waiting.")] = 32,
    threads: Annotated[int, typer.Option(min=1, help="Requests that run at once.")] = 2,
    connections: Annotated[int, typer.Option(min=1, help="The most open connections.")] = 256,
    idle: Annotated[
        float, typer.Option(help="Seconds for a connection to bring headers, 64 KiB of a body, or take of an answer.")
    ] = 10.0,
) -> None:
    """Serve a bundle over HTTP, in the KServe v2 protocol, until SIGTERM or Ctrl-C. Needs the extra serve."""
    from export import serving

    limits = serving.Limits(
        max_rows=max_rows,
        max_axis=max_axis,
        max_body=max_body,
        max_json=max_json,
        max_numbers=max_numbers,
        max_arriving=max_arriving,
        timeout=timeout,
        concurrency=concurrency,
        threads=threads,
        connections=connections,
        idle=idle,
    )
    serving.serve(directory, host, port, limits, lambda url: print(url, flush=True))


def _kind_of_reduction(precision: str, quantize: str | None) -> str | None:
    """Returns the kind of reduction that options ask for, or None for float32."""
    if precision not in ("float32", "float16"):
        raise ZooError(f"precision is '{precision}', expected float32 or float16.")
    if quantize not in (None, "int8"):
        raise ZooError(f"quantize is '{quantize}', expected int8.")
    if quantize and precision != "float32":
        raise ZooError(f"--precision {precision} and --quantize {quantize} exclude each other. Give one of them.")
    return quantize or (None if precision == "float32" else precision)


def _print_parity(parity: dict[str, dict[str, float]]) -> None:
    for name, found in parity.items():
        differences = ", ".join(f"{key} {value:.1e}" for key, value in found.items())
        print(f"  {name:12} largest difference: {differences}")


def _print_reduction(manifest: dict[str, Any]) -> None:
    if "reduction" not in manifest:
        return
    from export.reduced_card import lines

    reduction = manifest["reduction"]
    print("\n".join(lines(reduction)))
    if not reduction["within_budget"]:
        _warn("drift is beyond the budget, which was allowed (--allow-drift); card.md says so.")


if __name__ == "__main__":
    main()
