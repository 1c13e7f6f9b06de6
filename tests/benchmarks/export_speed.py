"""How quickly exported models run, beside Keras, torch's own export and the chain in TensorFlow.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch onnx onnxscript
    python tests/benchmarks/export_speed.py [/tmp/torch/bin/python]

Three networks, at batches of 1, 16 and 128: `decode` of vae_mnist, `generate` of gan_mnist and `energy` of the network
of ebm_mnist (with weights as drawn: they change nothing here). ONNX Runtime runs our file, and where torch's Python is
given the same network as `torch.onnx` writes it; Keras runs `predict_on_batch`. Then Langevin chains of 40 steps
through the exported loop beside the same chain in TensorFlow. Each way has a process of its own, for threads of ONNX
Runtime that wait for work keep the cores from others; processes take turns three times, medians of single calls count,
and of these the median. It takes 15 minutes.

Last, whole commands: an export of vae_mnist with its checks, a process that draws its first sample, one that only
imports, and lint of a preset of each family, or the recipe where there is none.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCHES, REPEATS, SECONDS, STEPS = (1, 16, 128), 3, 1.5, 40
PEER = Path(__file__).parent / "torch_export_side.py"
FIRST_SAMPLE = "import export, sys; export.load(sys.argv[1]).sample(1, seed=0)"
LINTED = "vae_mnist", "gan_mnist", "ebm_mnist"
SIGNATURES = ("decode", "generate", "energy")


def milliseconds(call: Callable[[], object]) -> float:
    """Returns the median time of a call."""
    for _ in range(3):
        call()
    times, until = [], time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def network_of(name: str) -> tuple:
    """Returns the model with a signature, and the Keras network behind it."""
    import keras

    import zoo

    keras.utils.set_random_seed(0)
    if name == "decode":
        model = zoo.from_preset("vae_mnist")
        return model, model.decoder
    if name == "generate":
        model = zoo.from_preset("gan_mnist")
        return model, model.generator
    model = zoo.EBM(zoo.networks.conv_energy((28, 28, 1)), sample_steps=STEPS)
    return model, model.network


def by_onnx_runtime(file: str) -> list[float]:
    """Returns the times of a file at each batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options)
    first = session.get_inputs()[0]
    times = []
    for batch in BATCHES:
        if first.name == "n" or first.name == "seed":
            given = {"n": np.array(batch), "seed": np.array(0)}
        else:
            given = {first.name: np.random.default_rng(0).random((batch, *first.shape[1:]), np.float32)}
        times.append(milliseconds(lambda given=given: session.run(None, given)))
    return times


def by_keras(name: str) -> list[float]:
    """Returns the times of `predict_on_batch` at each batch."""
    network = network_of(name)[1]
    draw = np.random.default_rng(0).random
    values = [draw((batch, *network.input_shape[1:]), np.float32) for batch in BATCHES]
    return [milliseconds(lambda value=value: network.predict_on_batch(value)) for value in values]


def by_tensorflow(jit: str) -> list[float]:
    """Returns the times of a chain at each batch."""
    import tensorflow as tf

    signature = network_of("energy")[0].signatures()["sample"]
    defaults = {spec.name: spec.default for spec in signature.inputs if spec.default is not None}
    times = []
    for batch in BATCHES:
        run = tf.function(
            lambda seed, batch=batch: signature.function(
                seed=seed,
                n=tf.constant(batch, tf.int64),
                **{key: tf.constant(value) for key, value in defaults.items()},
            )["image"],
            autograph=False,
            jit_compile=bool(jit),
        )
        times.append(milliseconds(lambda run=run: run(tf.constant(0, tf.int64)).numpy()))
    return times


def in_turns(ways: dict[str, list[str]], title: str) -> None:
    """Runs processes in turns, and prints the first way's times over those of the others."""
    found: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(REPEATS):
        for name, arguments in ways.items():
            command = [sys.executable, __file__, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    medians = {name: np.median(times, axis=0) for name, times in found.items()}
    ours = medians.pop(next(iter(ways)))
    for place, batch in enumerate(BATCHES):
        ratios = ", ".join(f"{ours[place] / times[place]:.2f} of {name}" for name, times in medians.items())
        print(f"{title}, batch {batch:3}: {ours[place]:8.3f} ms, {ratios}", flush=True)


def main() -> None:
    """Prints all."""
    if sys.argv[1:2] == ["--way"]:
        way = {"onnx": by_onnx_runtime, "keras": by_keras, "tensorflow": by_tensorflow}[sys.argv[2]]
        print(json.dumps(way(sys.argv[3])))
        return
    import export

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if sys.argv[1:]:
            subprocess.run([sys.argv[1], PEER, folder], check=True, capture_output=True)
        for signature in SIGNATURES:
            model, _ = network_of(signature)
            wanted = [signature, "sample"] if signature == "energy" else [signature]
            export.save(model, folder / signature, formats="onnx", signatures=wanted)
            ways = {
                "ours": ["--way", "onnx", str(folder / signature / "onnx" / f"{signature}.onnx")],
                "predict_on_batch": ["--way", "keras", signature],
            }
            if sys.argv[1:]:
                ways["torch.onnx"] = ["--way", "onnx", str(folder / f"{signature}.onnx")]
            in_turns(ways, signature)
        ways = {
            "ours": ["--way", "onnx", str(folder / "energy" / "onnx" / "sample.onnx")],
            "TensorFlow": ["--way", "tensorflow", ""],
            "TensorFlow, jit": ["--way", "tensorflow", "jit"],
        }
        in_turns(ways, f"chain of {STEPS} steps")
        bundle = str(folder / "bundle")
        for title, command, count in (
            ("export of vae_mnist", [sys.executable, "-m", "recipes.cli", "export", "vae_mnist", "-o", bundle], 1),
            ("first sample", [sys.executable, "-c", FIRST_SAMPLE, bundle], 5),
            ("import of export", [sys.executable, "-c", "import export"], 5),
            *((f"lint of {name}", [sys.executable, "-m", "recipes.cli", "lint", name], 3) for name in LINTED),
        ):
            times = []
            for _ in range(count):
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times.append(time.perf_counter() - start)
            print(f"{title}: {np.median(times):.2f} s", flush=True)


if __name__ == "__main__":
    main()
