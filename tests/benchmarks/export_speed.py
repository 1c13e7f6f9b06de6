"""How quickly exported models run, beside Keras, torch's own export and the chain in TensorFlow.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch onnx onnxscript
    python tests/benchmarks/export_speed.py [/tmp/torch/bin/python]

Three networks, at batches of 1, 16 and 128: `decode` of vae_mnist, `generate` of gan_mnist and `energy` of the network
of ebm_mnist (with weights as drawn: they change nothing here). ONNX Runtime runs our file, and where torch's Python is
given the same network as `torch.onnx` writes it; Keras runs `predict_on_batch`. All take turns in one process, and the
median of the times of single calls counts. Then Langevin chains of 40 steps through the exported loop beside the same
chain in TensorFlow, and whole commands: an export of vae_mnist with its checks, and a process that draws its first
sample.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCHES, ROUNDS, CALLS, STEPS = (1, 16, 128), 15, 10, 40
PEER = Path(__file__).parent / "torch_export_side.py"
FIRST_SAMPLE = "import export, sys; export.load(sys.argv[1]).sample(1, seed=0)"

Call = Callable[[], object]


def in_turns(calls: dict[str, Call], rounds: int = ROUNDS, repeats: int = CALLS) -> dict[str, float]:
    """Returns the median milliseconds of each call."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            call()  # the one before had the caches
            for _ in range(repeats):
                start = time.perf_counter()
                call()
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in times.items()}


def stated(title: str, medians: dict[str, float]) -> None:
    """Prints medians, and the first over each of the others."""
    name, ours = next(iter(medians.items()))
    ratios = ", ".join(f"{ours / value:.2f} of {key}" for key, value in medians.items() if key != name)
    print(f"{title:22} {name} {ours:8.3f} ms: {ratios}", flush=True)


def networks(folder: Path, peer: str | None) -> None:
    """Compares single passes."""
    import keras
    import onnxruntime

    import export
    import zoo

    keras.utils.set_random_seed(0)
    vae, gan, ebm = (
        zoo.from_preset("vae_mnist"),
        zoo.from_preset("gan_mnist"),
        zoo.EBM(zoo.networks.conv_energy((28, 28, 1))),
    )
    cases = {
        "decode": (vae, vae.decoder, "latent"),
        "generate": (gan, gan.generator, "latent"),
        "energy": (ebm, ebm.network, "image"),
    }
    if peer:
        subprocess.run([peer, PEER, folder], check=True, capture_output=True)
    for name, (model, network, given) in cases.items():
        export.save(model, folder / name, formats="onnx", signatures=[name])
        session = export.load(folder / name).session(name)
        theirs = onnxruntime.InferenceSession(folder / f"{name}.onnx") if peer else None
        for batch in BATCHES:
            values = np.random.default_rng(0).random((batch, *network.input_shape[1:]), np.float32)
            calls: dict[str, Call] = {
                "ours": lambda session=session, given=given, values=values: session.run(None, {given: values}),
                "predict_on_batch": lambda network=network, values=values: network.predict_on_batch(values),
            }
            if theirs is not None:
                input_name = theirs.get_inputs()[0].name
                first = np.moveaxis(values, -1, 1) if values.ndim == 4 else values
                first = np.ascontiguousarray(first)
                calls["torch.onnx"] = lambda first=first, name=input_name, theirs=theirs: theirs.run(
                    None, {name: first}
                )
            stated(f"{name}, batch {batch}", in_turns(calls))


def chains(folder: Path) -> None:
    """Compares Langevin chains."""
    import keras
    import tensorflow as tf

    import export
    import zoo

    keras.utils.set_random_seed(0)
    model = zoo.EBM(zoo.networks.conv_energy((28, 28, 1)), sample_steps=STEPS)
    export.save(model, folder / "chain", formats="onnx", signatures=["sample"])
    session = export.load(folder / "chain").session("sample")
    function = model.signatures()["sample"].function
    for batch in BATCHES:
        given = {"n": np.array(batch), "seed": np.array(0)}
        values = {key: tf.constant(value) for key, value in given.items()}
        plain = tf.function(lambda values=values: function(**values), autograph=False)
        jit = tf.function(lambda batch=batch: function(n=batch, seed=0), autograph=False, jit_compile=True)
        calls: dict[str, Call] = {
            "ours": lambda given=given: session.run(None, given),
            "TensorFlow": lambda plain=plain: plain()["image"].numpy(),
            "TensorFlow, jit": lambda jit=jit: jit()["image"].numpy(),
        }
        stated(f"chain, batch {batch}", in_turns(calls, 4, 2))


def commands(folder: Path) -> None:
    """Times whole processes."""
    export = [sys.executable, "-m", "recipes.cli", "export", "vae_mnist", "-o", str(folder / "bundle")]
    for title, command, count in (
        ("export of vae_mnist", export, 1),
        ("first sample", [sys.executable, "-c", FIRST_SAMPLE, str(folder / "bundle")], 5),
    ):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - start)
        print(f"{title:22} {np.median(times):.2f} s", flush=True)


def main() -> None:
    """Prints all."""
    with tempfile.TemporaryDirectory() as folder:
        commands(Path(folder))
        networks(Path(folder), sys.argv[1] if len(sys.argv) > 1 else None)
        chains(Path(folder))


if __name__ == "__main__":
    main()
