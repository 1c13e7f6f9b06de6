"""Runs a bundle with NumPy and ONNX Runtime; TensorFlow and Keras are never imported.

bundle = export.load("bundle")
images = bundle.sample(16, seed=0)
codes = bundle.run("encode", image=images)
"""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from export import manifest as manifests
from export.batches import check_outputs_fit, in_batches
from export.errors import ExportError
from export.inputs import labels_in_turn
from export.session import CPU, check_provider, onnx_file, open_session, run_session
from zoo.signature import NamedTensor, Signature, labels_to_draw

_MOST_THREADS = 1024  # ONNX Runtime makes as many as it is asked for, and then waits for all of them


class Bundle:
    """A loaded bundle, for any number of threads. A signature's files are checked when it is first used.

    What runs is what was checked. Weights in a file of their own, which a graph above 1 GiB has, are an exception: that
    file is checked first, and then read again by ONNX Runtime. Keep others from writing there.

    Args:
        directory: A folder written by `export.save`.
        provider: Where to compute: one of `onnxruntime.get_available_providers()`.
        threads: How many an op may use; by default one a core.
        spinning: Whether threads that wait for work keep their cores busy: quickest where nothing else needs these.

    Raises:
        ExportError: It is no bundle, or has no ONNX files, or there is no such provider or number of threads.
    """

    def __init__(self, directory: str | Path, provider: str = CPU, threads: int | None = None, spinning: bool = True):
        check_provider(provider)
        is_count = isinstance(threads, int) and not isinstance(threads, bool)
        if threads is not None and not (is_count and 1 <= threads <= _MOST_THREADS):
            raise ExportError(
                f"threads is {threads!r}, expected an integer from 1 to {_MOST_THREADS}, or None for one a core."
            )
        self.directory = Path(directory).absolute()  # its files are read later, from wherever the process is then
        self.manifest = manifests.read(self.directory)
        if "onnx" not in self.manifest["formats"]:
            raise ExportError(f"{directory} was exported without ONNX files. Export it again with --formats onnx.")
        described = self.manifest["signatures"]
        self.signatures: dict[str, Signature] = {
            name: manifests.restore(name, values) for name, values in described.items() if "onnx" in values["formats"]
        }
        self._how = provider, threads, spinning
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._opening = threading.Lock()

    def run(self, name: str, /, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature; many rows in batches, where the export has seen that this gives the same.

        Args:
            name: A key of `signatures`.
            **inputs: Its inputs by name: arrays, or plain numbers for scalars. Those with a default may be
                left out.

        Returns:
            Its outputs by name.

        Raises:
            ExportError: There is no such signature, an input is missing, unknown or not as declared, or the outputs
                are larger than memory.
        """
        signature = self._signature(name)
        try:
            values = signature.checked(inputs)
        except ValueError as error:
            raise ExportError(str(error)) from None
        session = self.session(name)
        return in_batches(signature, values, lambda part: run_session(session, part, name))

    def _signature(self, name: str) -> Signature:
        if name not in self.signatures:
            raise ExportError(f"the bundle has no signature '{name}'. It has: {', '.join(self.signatures)}.")
        return self.signatures[name]

    def sample(self, n: int, seed: int = 0, label: Any = None, **options: Any) -> np.ndarray:
        """Draws images, the same that the Keras model draws for this seed.

        Args:
            n: How many.
            seed: An integer in [0, 2**63).
            label: The class to draw, or one for each image, or None for all classes in turn; for conditional
                models only.
            **options: Inputs of the signature "sample" that have a default, such as `temperature`.

        Returns:
            float32 [n, height, width, channels], pixels in [0, 1].

        Raises:
            ExportError: The bundle cannot sample, or gives more than images; an argument is not as declared, or the
                images are larger than memory.
        """
        signature = self._signature("sample")
        if len(signature.outputs) > 1:
            names = ", ".join(spec.name for spec in signature.outputs)
            raise ExportError(f"'sample' gives {names}, not images alone: use run('sample', ...).")
        inputs, given = {spec.name: spec for spec in signature.inputs}, {}
        if signature.counts_rows:
            given["n"] = n
        elif "label" not in inputs or not inputs["label"].shape:  # labels say it too
            raise ExportError("'sample' is not told how many to draw: use run('sample', ...).")
        if signature.stochastic:
            given["seed"] = seed
        elif seed != 0:
            raise ExportError("'sample' takes no seed. Leave seed out.")
        if "label" in inputs:
            given["label"] = self._labels(signature, inputs["label"], n, label, options.get("first", 0))
        elif label is not None:
            raise ExportError("the model is not conditional: it takes no label. Leave label out.")
        (images,) = self.run("sample", **given, **options).values()
        return images

    def _labels(self, signature: Signature, spec: NamedTensor, n: int, label: Any, first: Any) -> Any:
        """Returns the labels of images to draw: those given, one for all of them, or all classes in turn."""
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise ExportError(f"n is {n!r}, expected an integer of at least 1.")
        if label is None and (not spec.shape or spec.range is None):
            raise ExportError("'sample' does not say which classes there are: pass label.")
        if not spec.shape:
            return label
        check_outputs_fit(signature, {"n": int(n)})  # labels are one for each of them
        try:
            if label is None:
                firsts = [each.checked(first, "sample") for each in signature.inputs if each.role == "first"]
                return labels_in_turn(spec, n, int(firsts[0]) if firsts else 0)
            if spec.range is not None and spec.range[0] == 0:
                return labels_to_draw(n, label, int(spec.range[1]) + 1)
        except ValueError as error:
            raise ExportError(str(error)) from None
        return label if np.ndim(label) else np.full(n, label)

    def session(self, name: str) -> onnxruntime.InferenceSession:
        """Returns the session of a signature, opened when first asked for, after a check of its file.

        Raises:
            ExportError: The file is missing or altered, takes weights from elsewhere, or ONNX Runtime does not load it.
        """
        with self._opening:
            if name not in self._sessions:
                file = onnx_file(self.directory, name, self.manifest["files"])
                self._sessions[name] = open_session(file, name, *self._how)
        return self._sessions[name]


def load(directory: str | Path, provider: str = CPU, threads: int | None = None) -> Bundle:
    """Loads a bundle to run with ONNX Runtime; arguments and errors are those of `Bundle`."""
    return Bundle(directory, provider, threads)
