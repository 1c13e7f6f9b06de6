"""What an export in reduced precision is told: how to reduce, what to measure on, and how much may be lost.

    export.save(model, "bundle", reduction=export.Reduction("float16", held_out=images))
    export.save(model, "bundle", reduction=export.Reduction("int8", held_out=images, calibration=training_images))

ONNX files alone are reduced; a SavedModel in the same bundle stays float32.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from export.budgets import BUDGETS
from export.errors import ExportError

Rows = np.ndarray | Mapping[str, np.ndarray]

LEAST_ROWS, MOST_ROWS = 20, 1000  # a standard error of Frechet distances needs 20; more than 1,000 change no verdict


class FeatureNetwork(Protocol):
    """What samples are compared in; `zoo.metrics.feature_network` returns one."""

    @property
    def name(self) -> str:
        """What it is called in the manifest."""
        ...

    @property
    def features(self) -> Callable[[np.ndarray], np.ndarray]:
        """Maps images [n, height, width, channels], in [0, 1], to features [n, size]."""
        ...


@dataclass(frozen=True)
class Reduction:
    """How the ONNX files of a bundle are made smaller, and the gate that they have to pass.

    "float16": the networks, from their first to their last product with weights, compute in half precision, and their
    weights are stored in it. Noise, likelihoods, sums of energies, inputs and outputs stay float32: seeds draw the
    same numbers, and dtypes are as declared.

    "int8": products with weights compute in 8 bits, and their weights are stored in these. In both, tables of
    embeddings and LSTM layers, which ONNX has an op of their own for, stay float32. Without `calibration`
    the ranges of what is multiplied are measured in each run (dynamic quantization), and so a row of a result depends
    a little on the rows beside it; with it they are measured once, and fixed (static quantization).

    Args:
        kind: "float16" or "int8".
        held_out: Rows that the model was not trained on, of which the first 1,000 are used: images float32
            [n, height, width, channels] or, of a model with one other input, rows for that; or arrays by the names of
            inputs, {"image": images, "label": labels}, which conditional models and models with more inputs need.
            Latents are codes of these where there is a signature `encode`, else drawn from their prior; inputs that
            declare a range may be left out, and are drawn from that.
        calibration: Rows of the training data, in the same form, of which 256 are used; for "int8" alone.
        features: What Frechet distances of samples are measured in; by default pixels, averaged to 8x8 at most.
        budgets: Largest drifts (for rank correlations, smallest values) by measure, in place of those of
            `export.budgets.BUDGETS`.
        allow_drift: Export even so where a budget is exceeded; the card and the manifest say so.

    Raises:
        ExportError: There is no such kind or measure, or an argument does not go with the kind.
    """

    kind: str
    held_out: Rows | None = None
    calibration: Rows | None = None
    features: FeatureNetwork | None = None
    budgets: Mapping[str, float] = field(default_factory=dict)
    allow_drift: bool = False

    def __post_init__(self) -> None:
        if self.kind not in BUDGETS:
            raise ExportError(f"there is no reduction '{self.kind}'. There are: {', '.join(BUDGETS)}.")
        if self.calibration is not None and self.kind != "int8":
            raise ExportError(f"calibration is for int8: {self.kind} needs none. Leave it out.")
        if self.held_out is None:
            raise ExportError(
                f"{self.kind} is measured against float32 on rows that the model was not trained on, and there are "
                "none: pass held_out, images or arrays by the names of inputs."
            )
        known = BUDGETS[self.kind]
        unknown = sorted(set(self.budgets) - set(known))
        if unknown:
            raise ExportError(f"there is no measure '{unknown[0]}' to set a budget of. There are: {', '.join(known)}.")
        for name, budget in self.budgets.items():
            if not isinstance(budget, int | float) or not 0 <= budget < math.inf:
                raise ExportError(f"the budget of {name} is {budget!r}, expected a finite number of at least 0.")
        if self.features is not None and not (hasattr(self.features, "name") and hasattr(self.features, "features")):
            raise ExportError(
                f"features is {self.features!r}, expected a network, as "
                "zoo.metrics.feature_network('classifier_mnist') returns one."
            )
        for name in ("held_out", "calibration"):
            self._check_rows(name, getattr(self, name))

    def _check_rows(self, name: str, rows: Rows | None) -> None:
        try:
            arrays = {} if rows is None else dict(rows) if isinstance(rows, Mapping) else {"": np.asarray(rows)}
        except ValueError:  # what NumPy says of arrays of different shapes
            raise ExportError(
                f"{name} is a {type(rows).__name__} of arrays of different shapes: pass arrays by the names of inputs, "
                "such as {'image': images, 'label': labels}."
            ) from None
        counts = {np.shape(array)[0] if np.ndim(array) else 0 for array in arrays.values()}
        if len(counts) > 1:
            raise ExportError(f"{name} has arrays of {sorted(counts)} rows, expected as many of each.")
        if rows is not None and (not counts or min(counts) < LEAST_ROWS):
            raise ExportError(f"{name} has {max(counts, default=0)} rows, expected at least {LEAST_ROWS}.")
        for array in map(np.asarray, arrays.values()):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ExportError(f"{name} holds NaN or infinite numbers. Leave those rows out.")

    def budget(self, measure: str) -> float:
        """Returns what a measure may drift by."""
        return {**BUDGETS[self.kind], **self.budgets}[measure]

    @property
    def describes(self) -> dict[str, Any]:
        """What was asked for, for the manifest."""
        static = {"calibration": "static" if self.calibration is not None else "dynamic"}
        return {"kind": self.kind, **(static if self.kind == "int8" else {})}
