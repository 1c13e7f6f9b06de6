"""Checks of what a user passes in, with messages that name the cause and the remedy."""

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from zoo.errors import ZooError, near_miss


def as_array(values: Any, name: str) -> np.ndarray:
    """Returns values as an array after checking that they can be one.

    Raises:
        ZooError: They are None, or rows of different lengths.
    """
    if values is None:
        raise ZooError(f"{name} are missing: got None, expected an array.")
    if hasattr(values, "element_spec"):
        raise ZooError(f"{name} are a dataset, expected an array: `fit` and `evaluate` alone take datasets.")
    try:
        return np.asarray(values)
    except ValueError:  # what NumPy says of ragged sequences
        raise ZooError(f"{name} are no array: their parts have different shapes. Give all the same shape.") from None


def check_images(images: Any, image_shape: tuple[int, ...] | None = None, name: str = "images") -> np.ndarray:
    """Returns images as a float32 array after checking that they are what every public door takes.

    Args:
        images: An array [batch, height, width, channels], floating, pixels in [0, 1].
        image_shape: The [height, width, channels] to insist on, or None for any.
        name: What to call the argument in messages.

    Raises:
        ZooError: The shape, dtype or range is another, a value is NaN, or there is no image at all.
    """
    images = as_array(images, name)
    wanted = "[batch, height, width, channels]" if image_shape is None else f"[batch, {_join(image_shape)}]"
    if images.ndim != 4 or (image_shape is not None and images.shape[1:] != tuple(image_shape)):
        raise ZooError(
            f"{name} have shape [{_join(images.shape)}], expected {wanted}.{_shape_remedy(images, image_shape)}"
        )
    if len(images) == 0:
        raise ZooError(f"{name} are empty: there is no image among them. Pass at least one.")
    if images.dtype.kind in "iub":
        raise ZooError(
            f"{name} have dtype {images.dtype}, expected float32 in [0, 1]. "
            "For pixels from 0 to 255 pass images.astype('float32') / 255."
        )
    if images.dtype.kind != "f":
        raise ZooError(f"{name} have dtype {images.dtype}, expected float32 in [0, 1].")
    low, high = float(images.min()), float(images.max())
    if math.isnan(low) or math.isnan(high):
        first = int(np.isnan(images).reshape(len(images), -1).any(axis=1).argmax())
        raise ZooError(f"{name} hold NaN, first in image {first}. Remove or repair those images.")
    if low < 0 or high > 1:
        if math.isinf(low) or math.isinf(high):
            raise ZooError(f"{name} hold infinite values. Remove or repair those images.")
        remedy = "divide by 255" if low >= 0 and high > 2 else "rescale them, for example (images + 1) / 2 from [-1, 1]"
        raise ZooError(f"{name} {span(images)}, expected pixels in [0, 1]: {remedy}.")
    return images.astype(np.float32, copy=False)


def check_image(image: Any, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Returns one image [height, width, channels] as a batch float32 [1, height, width, channels] after checking it.

    Raises:
        ZooError: It is not one image, or its dtype or range is another.
    """
    image = as_array(image, "image")
    if image.shape != tuple(image_shape):
        remedy = " Pass one image, images[0]." if image.ndim == 4 else _shape_remedy(image[None], image_shape)
        raise ZooError(f"image has shape [{_join(image.shape)}], expected [{_join(image_shape)}].{remedy}")
    return check_images(image[None], image_shape)


def check_latents(latents: Any, latent_size: int) -> np.ndarray:
    """Returns latents as a float32 array after checking them.

    Args:
        latents: [batch, latent_size], finite.
        latent_size: The number of latent dimensions of the model.

    Raises:
        ZooError: The shape is another, or a value is not finite.
    """
    latents = as_array(latents, "latents")
    if latents.dtype.kind not in "iuf":
        raise ZooError(f"latents have dtype {latents.dtype}, expected float32.")
    if latents.ndim != 2 or latents.shape[1] != latent_size or not len(latents):
        pair = latents.ndim == 3 and len(latents) == 2
        remedy = " Of what `encode` returns, location and scale, pass the location: encode(images).loc." if pair else ""
        raise ZooError(f"latents have shape [{_join(latents.shape)}], expected [batch, {latent_size}].{remedy}")
    if not np.isfinite(latents).all():
        raise ZooError("latents hold values that are not finite.")
    return latents.astype(np.float32, copy=False)


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
    labels = as_array(labels, name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or (count is not None and len(labels) != count):
        wanted = "n" if count is None else count
        raise ZooError(f"{name} have shape {list(labels.shape)}, expected [{wanted}]: one integer an image.")
    if labels.dtype.kind not in "iu":
        raise ZooError(f"{name} have dtype {labels.dtype}, expected integers from 0 to {num_classes - 1}.")
    if len(labels) and not (labels.min() >= 0 and labels.max() < num_classes):
        raise ZooError(f"{name} {span(labels)}, expected 0 to {num_classes - 1}: the model has {num_classes} classes.")
    return labels.astype(np.int64)


def check_weights(weights: Any, count: int) -> np.ndarray:
    """Returns the weights of images as a float32 array [n] after checking them.

    Args:
        weights: [n] or [n, 1], finite, at least 0.
        count: n.

    Raises:
        ZooError: The shape is another, or a weight is negative, NaN or infinite.
    """
    weights = as_array(weights, "sample weights")
    if weights.shape not in ((count,), (count, 1)) or weights.dtype.kind not in "iufb":
        raise ZooError(
            f"sample_weight has shape {list(weights.shape)} and dtype {weights.dtype}, expected [{count}] numbers: one "
            "weight an image."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ZooError("sample_weight holds values that are negative or not finite: give weights of at least 0.")
    return weights.reshape(-1).astype(np.float32)


def check_count(value: Any, name: str, least: int = 1) -> int:
    """Returns an integer argument after checking that it is one, at least `least`.

    Raises:
        ZooError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ZooError(f"{name} is {value!r}, expected an integer of at least {least}.")
    return int(value)


def check_sizes(values: Any, name: str, count: int | None = None) -> tuple[int, ...]:
    """Returns sizes, such as widths of layers or a shape, after checking that they are integers above 0.

    Args:
        values: Integers.
        name: What to call the argument in messages.
        count: How many, or None for one or more.

    Raises:
        ZooError: They are not.
    """
    sizes = tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else ()
    whole = all(isinstance(size, int | np.integer) and not isinstance(size, bool) and size > 0 for size in sizes)
    if not sizes or not whole or (count is not None and len(sizes) != count):
        raise ZooError(f"{name} is {values!r}, expected {count or 'one or more'} integers above 0.")
    return sizes


def check_list(values: Any, name: str) -> list[Any]:
    """Returns several values as a list after checking that they are several.

    Raises:
        ZooError: They are a string, or no sequence.
    """
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ZooError(f"{name} is {values!r}, expected a list: {name}=[{values!r}].")
    return list(values)


def check_choice(value: Any, known: Iterable[str], name: str) -> str:
    """Returns a name after checking that it is a known one.

    Raises:
        ZooError: It is not; the message names the nearest.
    """
    known = list(known)
    if value not in known:
        raise ZooError(f"unknown {name} '{value}'. Known: {', '.join(known)}.{near_miss(str(value), known)}")
    return value


def check_activation(name: str) -> str:
    """Returns the name of an activation after checking that Keras knows it.

    Raises:
        ZooError: It does not.
    """
    import keras

    try:
        keras.activations.get(name)
    except ValueError:
        raise ZooError(f"Keras has no activation '{name}'. It has, for example, elu and relu.") from None
    return name


def check_positive(value: Any, name: str, or_zero: bool = False) -> float:
    """Returns a real argument after checking that it is finite and above 0, or at least 0.

    Raises:
        ZooError: It is not.
    """
    is_real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_real or not math.isfinite(value) or value < 0 or (value == 0 and not or_zero):
        raise ZooError(f"{name} is {value!r}, expected a number {'of at least' if or_zero else 'above'} 0.")
    return float(value)


def check_share(value: Any, name: str) -> float:
    """Returns a real argument after checking that it is in [0, 1].

    Raises:
        ZooError: It is not.
    """
    share = check_positive(value, name, or_zero=True)
    if share > 1:
        raise ZooError(f"{name} is {value!r}, expected a share from 0 to 1.")
    return share


def check_seed(seed: Any) -> int:
    """Returns a seed after checking that it is an integer in [0, 2**63).

    Raises:
        ZooError: It is not.
    """
    if check_count(seed, "seed", least=0) >= 2**63:
        raise ZooError(f"seed is {seed}, expected an integer below 2**63.")
    return int(seed)


def check_memory(size: int, what: str) -> None:
    """Makes sure that what is asked for is no larger than the memory of this machine, where that is known.

    Args:
        size: Of what is asked for, in bytes.
        what: What to call it in messages, a plural.

    Raises:
        ZooError: It is larger.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    if size > memory:
        raise ZooError(
            f"{what} take {size / 1e9:,.0f} GB, more than the {memory / 1e9:,.0f} GB of this machine. Ask for fewer at "
            "a time."
        )


def span(values: np.ndarray) -> str:
    """Returns "are all 1.5", or "range from 0 to 255", of values that are not of the range they should be of."""
    low, high = values.min(), values.max()
    if values.size == 1:
        return f"are {low:.4g}"
    return f"are all {low:.4g}" if low == high else f"range from {low:.4g} to {high:.4g}"


def _join(shape: tuple[int, ...]) -> str:
    return ", ".join(str(size) for size in shape)


def _shape_remedy(images: np.ndarray, image_shape: tuple[int, ...] | None) -> str:
    if images.ndim == 3 and (image_shape is None or images.shape[1:] == tuple(image_shape[:2])):
        return " For grey images without a channel axis pass images[..., None]."
    if image_shape is not None and images.shape == tuple(image_shape):
        return " For a single image pass images[None]."
    if image_shape is not None and images.ndim == 4 and images.shape[1:3] == tuple(image_shape[:2]):
        return " The number of channels differs."
    if image_shape is not None and images.ndim == 4:
        return " Resize the images, or build the model for theirs."
    return ""
