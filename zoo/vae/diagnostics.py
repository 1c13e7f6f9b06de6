"""What the latents of a model carry: rate, distortion, active units, KL by dimension."""

import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo import random
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
    location_variance: The variance over images of each latent's location, [latent_size].
    kl: The mean KL by group of latents: each latent where it is known for each, each level of a hierarchy, or all.
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
        ZooError: The images or labels are not as described.

    Warns:
        PosteriorCollapse: No latent is active.
    """
    images, seed = check_images(images, model.image_shape), check_seed(seed)
    locations = model.encode(images, labels).loc
    reconstructions, groups = [], []
    for index, start in enumerate(range(0, len(images), _AT_ONCE)):
        chunk = slice(start, start + _AT_ONCE)
        given = None if labels is None else tf.constant(labels[chunk])
        reconstruction, kl = model.terms(tf.constant(images[chunk]), random.fold_in(seed, index), labels=given)
        reconstructions.append(reconstruction.numpy())
        groups.append(kl.numpy())
    variance = locations.var(axis=0)
    active = int((variance > ACTIVE_VARIANCE).sum())
    by_group = np.concatenate(groups).mean(axis=0)
    if not active:
        warnings.warn(
            f"none of the {model.latent_size} latents is active: the posterior has collapsed onto the prior. Usual "
            "remedies: train with kl_warm_up (steps) or free_bits (nats), a weaker decoder, or a smaller beta.",
            PosteriorCollapse,
            stacklevel=2,
        )
    distortion = -float(np.concatenate(reconstructions).mean())
    return LatentDiagnostics(float(by_group.sum()), distortion, active, variance, by_group)
