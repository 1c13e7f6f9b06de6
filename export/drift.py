"""What is lost between two forms of a signature, by the measures that matter to what it gives, and whether too much.

`export.budgets` says what the measures are and what they may be.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from export.errors import ExportError
from zoo.signature import NamedTensor, Signature

Arrays = dict[str, np.ndarray]

_LIKELIHOODS = ("elbo", "log_likelihood")
_CLASSES = ("classify",)
_ORDERS = ("energy", "anomaly_score", "discriminate")  # of rows, which no offset or scale changes
_COARSE = 8  # pixels a side
_ALIKE = 1e-6  # spread of rows, of their size, that is rounding
COARSE_PIXELS = f"pixels, averaged to {_COARSE}x{_COARSE} at most"


@dataclasses.dataclass(frozen=True)
class Figure:
    """One measured drift.

    Attributes:
        measure: A key of `export.budgets.BUDGETS`.
        output: Of which output.
        value: What was measured.
        budget: What it may be.
        before: What float32 gives, of measures that compare two figures.
        after: What the reduced form gives.
        standard_error: Of the value, where it is one of a mean or a distance.
    """

    measure: str
    output: str
    value: float
    budget: float
    before: float | None = None
    after: float | None = None
    standard_error: float | None = None

    @property
    def within(self) -> bool:
        """Whether it is within budget. What is not a number is not."""
        if self.measure == "rank_correlation":
            return self.value >= self.budget
        chance = 2 * (self.standard_error or 0.0) if self.measure == "frechet_increase" else 0.0
        return self.value <= self.budget + chance

    @property
    def measured(self) -> str:
        """What was measured, with its error, and the two figures that it compares."""
        error = "" if self.standard_error is None else f" +- {self.standard_error:.2g}"
        change = "" if self.before is None else f" ({self.before:.5g} to {self.after:.5g})"
        return f"{self.value:.4g}{error}{change}"

    def __str__(self) -> str:
        """The figure and its budget as a line."""
        end = "least" if self.measure == "rank_correlation" else "most"
        return f"{self.measure} of {self.output} {self.measured}, budget at {end} {self.budget:.4g}"


def measured(signature: Signature, before: Arrays, after: Arrays, budget: Callable[[str], float]) -> list[Figure]:
    """Returns the drift of each output of a signature that has any numbers.

    Args:
        signature: What was run.
        before: What float32 gives.
        after: What the reduced form gives for the same inputs.
        budget: Of a measure.
    """
    return [
        Figure(budget=budget(found["measure"]), output=spec.name, **found)
        for spec in signature.outputs
        for found in _measured(signature.name, spec, before[spec.name], after[spec.name])
    ]


def _measured(signature: str, spec: NamedTensor, before: np.ndarray, after: np.ndarray) -> list[dict[str, Any]]:
    if before.shape != after.shape:  # values decide how many there are
        sizes = zip(before.shape, after.shape, strict=True)
        return [{"measure": "changed_share", "value": max(abs(one - other) / max(one, 1) for one, other in sizes)}]
    if not before.size:
        return []
    if before.dtype.kind != "f":
        return [{"measure": "changed_share", "value": float((before != after).mean())}]
    if signature in _CLASSES and before.ndim > 1 and before.shape[-1] > 1:
        changed = before.argmax(axis=-1) != after.argmax(axis=-1)
        return [{"measure": "changed_share", "value": float(changed.mean())}, _relative(before, after)]
    before, after = before.astype(np.float64), after.astype(np.float64)
    is_number = before.ndim > 0 and before.size == len(before)  # one for each row, in a column or not
    if before.ndim == 4 and spec.range == (0.0, 1.0):
        apart = np.abs(after - before)
        return [
            {"measure": "pixel_difference", "value": float(apart.max())},
            {"measure": "mean_pixel_difference", "value": float(apart.mean())},
        ]
    if is_number and signature in _LIKELIHOODS:
        differences = (after - before).ravel()
        return [
            {
                "measure": "nats",
                "value": float(abs(differences.mean())),
                "before": float(before.mean()),
                "after": float(after.mean()),
                "standard_error": float(differences.std(ddof=1) / np.sqrt(len(differences))),
            }
        ]
    if is_number and signature in _ORDERS:
        return [{"measure": "rank_correlation", "value": _rank_correlation(before.ravel(), after.ravel())}]
    return [_relative(before, after)]


def _relative(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """Returns the error over the spread across rows, for what columns differ by, such as their units, is no signal.

    Where all rows are alike, as of a single number, it is the error over the size. Errors and spreads are those of all
    columns together: one that spreads far more than the others hides what becomes of these.
    """
    before, after = (np.atleast_1d(values.astype(np.float64)) for values in (before, after))
    error = np.sqrt(np.square(after - before).mean())
    spread = float(np.sqrt(np.square(before - before.mean(axis=0)).mean()))
    size = float(np.sqrt(np.square(before).mean()))
    scale = spread if spread > _ALIKE * size else size
    return {"measure": "relative_error", "value": float(error / scale) if scale else float(np.any(error))}


def _rank_correlation(before: np.ndarray, after: np.ndarray) -> float:
    if np.ptp(before) == 0 or np.ptp(after) == 0:  # which a correlation is not defined for
        return float(np.array_equal(before, after))
    from scipy.stats import spearmanr

    return float(spearmanr(before, after).statistic)


def frechet_increase(
    real: np.ndarray, before: np.ndarray, after: np.ndarray, features: Callable[[np.ndarray], np.ndarray], budget: float
) -> Figure:
    """Returns by how much farther samples are from real images than those of float32, in units of the distance.

    Args:
        real: Held-out images.
        before: Samples of float32.
        after: As many samples of the reduced form, for the same seeds.
        features: Maps images to features [n, size].
        budget: The largest relative increase.
    """
    from zoo.metrics.frechet import frechet_distance, frechet_increase

    known, first, second = features(real), features(before), features(after)
    distance, increase = frechet_distance(known, first).value, frechet_increase(known, first, second)
    scale = max(distance, np.finfo(np.float64).tiny)
    return Figure(
        "frechet_increase",
        "image",
        increase.value / scale,
        budget,
        distance,
        distance + increase.value,
        increase.standard_error / scale,
    )


def coarse_pixels(images: np.ndarray) -> np.ndarray:
    """Returns images [n, height, width, channels] as features: pixels, averaged in blocks to 8x8 at most."""
    for axis in (1, 2):
        blocks = np.array_split(np.arange(images.shape[axis]), min(_COARSE, images.shape[axis]))
        means = [np.take(images, block, axis).mean(axis, keepdims=True) for block in blocks]
        images = np.concatenate(means, axis)
    return images.reshape(len(images), -1)


def recorded(values: dict[str, Any]) -> Figure:
    """Returns a figure read from a manifest.

    Raises:
        ExportError: It is damaged.
    """
    try:
        return Figure(**{key: value for key, value in values.items() if key != "within"})
    except TypeError as error:
        raise ExportError(f"a figure of drift in the manifest is damaged ({error}). Export the model again.") from error
