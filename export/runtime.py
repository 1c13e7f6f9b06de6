"""Runs a bundle with NumPy and ONNX Runtime; TensorFlow and Keras are never imported.

bundle = export.load("bundle")
images = bundle.sample(16, seed=0)
codes = bundle.run("encode", image=images)
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from export import manifest as manifests
from export.errors import ExportError
from export.session import open_session, run_session
from zoo.signature import Signature, labels_to_draw


class Bundle:
    """A loaded bundle. Its hashes are checked when a signature is first used.

    Args:
        directory: A folder written by `export.save`.
        spinning: Whether threads that wait for work keep their cores busy: quickest where nothing else needs these.

    Raises:
        ExportError: It is no bundle, or has no ONNX files.
    """

    def __init__(self, directory: str | Path, spinning: bool = True):
        self.directory = Path(directory)
        self._spinning = spinning
        self.manifest = manifests.read(self.directory)
        if "onnx" not in self.manifest["formats"]:
            raise ExportError(f"{directory} was exported without ONNX files. Export it again with --formats onnx.")
        described = self.manifest["signatures"]
        self.signatures: dict[str, Signature] = {
            name: manifests.restore(name, values) for name, values in described.items() if "onnx" in values["formats"]
        }
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    def run(self, name: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs one signature.

        Args:
            name: A key of `signatures`.
            **inputs: Its inputs by name: arrays, or plain numbers for scalars. Those with a default may be
                left out.

        Returns:
            Its outputs by name.

        Raises:
            ExportError: There is no such signature, or an input is missing, unknown or not as declared.
        """
        if name not in self.signatures:
            raise ExportError(f"the bundle has no signature '{name}'. It has: {', '.join(self.signatures)}.")
        try:
            values = self.signatures[name].checked(inputs)
        except ValueError as error:
            raise ExportError(str(error)) from None
        return run_session(self.session(name), values, name)

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
            ExportError: The bundle cannot sample, or an argument is not as declared.
        """
        inputs = {spec.name: spec for spec in self.signatures["sample"].inputs} if "sample" in self.signatures else {}
        if "label" in inputs:
            num_classes = int((inputs["label"].range or (0, 0))[1]) + 1
            if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
                raise ExportError(f"n is {n!r}, expected an integer of at least 1.")
            try:
                given = {"label": labels_to_draw(n, label, num_classes)}
            except ValueError as error:
                raise ExportError(str(error)) from None
        else:
            if label is not None:
                raise ExportError("the model is not conditional: it takes no label. Leave label out.")
            given = {"n": n}
        (images,) = self.run("sample", seed=seed, **given, **options).values()
        return images

    def session(self, name: str) -> onnxruntime.InferenceSession:
        """Returns the session of a signature, opened when first asked for, after a check of its file.

        Raises:
            ExportError: The file is missing or altered, or ONNX Runtime does not load it.
        """
        if name not in self._sessions:
            file = f"onnx/{name}.onnx"
            path = manifests.check_file(self.directory, file, self.manifest["files"].get(file, {"sha256": None}))
            self._sessions[name] = open_session(path.read_bytes(), name, self._spinning)
        return self._sessions[name]


def load(directory: str | Path) -> Bundle:
    """Loads a bundle to run with ONNX Runtime.

    Raises:
        ExportError: It is no bundle, or has no ONNX files.
    """
    return Bundle(directory)
