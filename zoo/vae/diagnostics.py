"""What the latents of a model carry: rate, distortion, active units, KL by dimension."""

import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo import random
from zoo.errors import ZooError, a_kind
from zoo.vae.collapse import PosteriorCollapse
from zoo.vae.latent_variable import LatentVariableModel
from zoo.validation import check_images, check_seed

ACTIVE_VARIANCE = 0.01  # Burda et al. (2016), section 5.2: active units and others lie far to either side
_AT_ONCE = 256


class LatentDiagnostics(NamedTuple):
    """How a model uses its latents, on some images; in nats an image.

    rate: The mean KL(q(z|x) || p(z)): what the code of an image costs.
    distortion: The mean of -E_q[log p(x|z)] (Alemi et al. 2018: -elbo = rate + distortion).
    active_units: How many latents have locations that vary over images by more than 0.01 (Burda et al. 2016).
    location_variance: The variance over images of each latent's location, [latent_size]; in a hierarchy, of how far
        it lies from the prior's, which moves with the levels above, in units of the prior's scale.
    kl: The mean KL of each latent, or of all together where it is known for all only.
    """

    rate: float
    distortion: float
    active_units: int
    location_variance: np.ndarray
    kl: np.ndarray


def diagnose(
    model: LatentVariableModel, images: np.ndarray, seed: int = 0, labels: np.ndarray | None = None
) -> LatentDiagnostics:
    """Measures how a model uses its latents, and warns if they carry next to nothing.

    Args:
        model: A model with latents.
        images: [n, height, width, channels] in [0, 1], at least 2.
        seed: Decides the draws of z, one an image.
        labels: int [n], for conditional models.

    Returns:
        The diagnostics.

    Raises:
        ZooError: The model has no such latents, the images or labels are not as described, or the likelihood is not
            one of such pixels.

    Warns:
        PosteriorCollapse: No latent is active, or none of a level of a hierarchy.
    """
    if not isinstance(model, LatentVariableModel):
        raise ZooError(
            f"{a_kind(model)} has no posterior over latents to diagnose. Models that have: VAE and its kin, "
            "IWAE, ConditionalVAE, HierarchicalVAE."
        )
    images = check_images(images, model.image_shape)
    if len(images) < 2:
        raise ZooError("one image says nothing of what varies over images: pass at least 2.")
    model.check_content(images)
    found = _inspected(model, model.checked_batch(images, labels), check_seed(seed))
    variance, kl = found["shift"].var(axis=0), found["kl"].mean(axis=0)
    active = variance > ACTIVE_VARIANCE
    _warn_of_collapse(model, active)
    distortion = -float(found["reconstruction"].mean())
    return LatentDiagnostics(float(kl.sum()), distortion, int(active.sum()), variance, kl)


def _inspected(model: LatentVariableModel, batch: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    specs = [tf.TensorSpec([None, *value.shape[1:]], value.dtype) for value in batch.values()]
    function = tf.function(model.inspect, autograph=False).get_concrete_function(
        specs[0], tf.TensorSpec([], tf.int64), *specs[1:]
    )
    parts = []
    for index, start in enumerate(range(0, len(batch["image"]), _AT_ONCE)):
        images, *labels = (tf.constant(value[start : start + _AT_ONCE]) for value in batch.values())
        parts.append(function(images, random.fold_in(seed, index), *labels))
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def _warn_of_collapse(model: LatentVariableModel, active: np.ndarray) -> None:
    ends = np.cumsum(model.latent_groups)
    dead = [level for level, part in enumerate(np.split(active, ends[:-1]), 1) if not part.any()]
    if dead:
        where = f"latents of level {', '.join(map(str, dead))}" if len(ends) > 1 else f"{model.latent_size} latents"
        warnings.warn(
            f"none of the {where} is active: the posterior has collapsed onto the prior. Usual remedies: "
            f"{model.collapse_remedies}.",
            PosteriorCollapse,
            stacklevel=3,
        )
