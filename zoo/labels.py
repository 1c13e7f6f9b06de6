"""Labels of conditional models. Needs NumPy alone, for exported models take them too."""

from typing import Any

import numpy as np

from zoo.errors import ZooError


def check_labels(labels: Any, num_classes: int, count: int | None = None, name: str = "labels") -> np.ndarray:
    """Returns labels as an int64 array [n] after checking them.

    Args:
        labels: Integers in [0, num_classes), [n] or [n, 1].
        num_classes: The number of classes.
        count: n, or None for any.
        name: What to call the argument in messages.

    Raises:
        ZooError: The shape or dtype is another, or a label is out of range.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or (count is not None and len(labels) != count):
        wanted = "n" if count is None else count
        raise ZooError(f"{name} have shape {list(labels.shape)}, expected [{wanted}]: one integer an image.")
    if labels.dtype.kind not in "iu":
        raise ZooError(f"{name} have dtype {labels.dtype}, expected integers from 0 to {num_classes - 1}.")
    if len(labels) and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ZooError(
            f"{name} range from {labels.min()} to {labels.max()}, expected 0 to {num_classes - 1}: "
            f"the model has {num_classes} classes."
        )
    return labels.astype(np.int64)


def labels_to_draw(n: int, label: Any, num_classes: int) -> np.ndarray:
    """Returns the labels int64 [n] of images to draw: one for all, one for each, or None for all classes in turn.

    Raises:
        ZooError: They are no labels of the model, or not `n`.
    """
    if label is None:
        return np.arange(n) % num_classes
    label = np.asarray(label)
    if not label.ndim:
        label = np.full(n, label)
    return check_labels(label, num_classes, n, "label")
