"""GANs after four papers: their losses, penalties and optimizers, compiled and ready to fit.

Each takes images of any height, width and channels. Its networks halve the size until 4 to 7 places are left, which
`filters` overrides: widths of the discriminator's convolutions, the finest first, which the generator mirrors. Where
these differ from the paper the function says so. In all, and in none but the last of the papers, images are sampled
from an average of the generator; `average=0.0` leaves it out.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras

from zoo.gan.conditional import ConditionalGAN
from zoo.gan.gan import GAN
from zoo.gan.penalties import R1, R2, GradientPenalty
from zoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from zoo.networks.residual_gan import residual_discriminator, residual_generator
from zoo.validation import check_count, check_sizes

_COARSEST = 7
Filters = Sequence[int] | None


def widths(image_shape: Sequence[int], width: int = 64) -> tuple[int, ...]:
    """Returns widths of layers that halve images, each double the one before, down to 4 to 7 places a side.

    Raises:
        ZooError: A size is no integer above 0.
    """
    height, breadth, _ = check_sizes(image_shape, "image_shape", 3)
    halvings = max(1, math.ceil(math.log2(min(height, breadth) / _COARSEST)))
    return tuple(check_count(width, "width") * 2**index for index in range(halvings))


def dcgan(
    image_shape: Sequence[int],
    filters: Filters = None,
    latent_size: int = 100,
    num_classes: int | None = None,
    learning_rate: float = 2e-4,
    **options: Any,
) -> GAN:
    """Returns the GAN of Radford et al. (2016): batch statistics, and Adam with beta_1 0.5.

    Kernels are 4x4, and start as Keras starts them; in the paper they are 5x5, from a Normal of 0.02.

    Args:
        image_shape: Height, width and channels.
        filters: Widths of the discriminator's convolutions, or None for `widths(image_shape)`.
        latent_size: The size of the latents.
        num_classes: If given, the GAN is conditional, by projection.
        learning_rate: Of both optimizers.
        **options: Of `GAN`, in place of those of the paper.

    Raises:
        ZooError: An argument is out of its range.
    """
    filters = filters or widths(image_shape)
    generator = dcgan_generator(image_shape, latent_size, filters[::-1], num_classes)
    discriminator = dcgan_discriminator(image_shape, filters, "batch", num_classes)
    return _compiled(generator, discriminator, num_classes, learning_rate, (0.5, 0.999), options)


def sngan(
    image_shape: Sequence[int],
    filters: Filters = None,
    latent_size: int = 128,
    num_classes: int | None = None,
    learning_rate: float = 2e-4,
    **options: Any,
) -> GAN:
    """Returns the GAN of Miyato et al. (2018): spectral normalization and the hinge loss (equations 16 and 17).

    Five steps of the discriminator and beta_1 0 are what the paper has for its residual networks; these are DCGAN's.
    Its learning rate falls to 0 in the end, for which `compile` takes schedules. A batch is dealt out among the five
    steps: give `fit` one five times as large. Arguments are as in `dcgan`.

    Raises:
        ZooError: An argument is out of its range.
    """
    filters = filters or widths(image_shape)
    generator = dcgan_generator(image_shape, latent_size, filters[::-1], num_classes)
    discriminator = dcgan_discriminator(image_shape, filters, "spectral", num_classes)
    options = {"loss": "hinge", "discriminator_steps": 5, **options}
    return _compiled(generator, discriminator, num_classes, learning_rate, (0.0, 0.9), options)


def wgan_gp(
    image_shape: Sequence[int],
    filters: Filters = None,
    latent_size: int = 128,
    num_classes: int | None = None,
    learning_rate: float = 1e-4,
    **options: Any,
) -> GAN:
    """Returns the GAN of Gulrajani et al. (2017): a critic, held to slopes of 1 (algorithm 1).

    A batch is dealt out among five steps of the critic: give `fit` one five times as large. Arguments are as in
    `dcgan`.

    Raises:
        ZooError: An argument is out of its range.
    """
    filters = filters or widths(image_shape)
    generator = dcgan_generator(image_shape, latent_size, filters[::-1], num_classes)
    critic = dcgan_discriminator(image_shape, filters, "none", num_classes)
    options = {"loss": "wasserstein", "penalties": [GradientPenalty(10.0)], "discriminator_steps": 5, **options}
    return _compiled(generator, critic, num_classes, learning_rate, (0.0, 0.9), options)


def r3gan(
    image_shape: Sequence[int],
    filters: Filters = None,
    latent_size: int = 64,
    num_classes: int | None = None,
    learning_rate: float = 2e-4,
    gamma: float = 1.0,
    **options: Any,
) -> GAN:
    """Returns the GAN of Huang et al. (2024): a relativistic loss with R1 and R2, and residual networks.

    The networks are smaller than theirs: one bottleneck a size, without groups, that change size by strided
    convolutions. `gamma` is the weight of both penalties; the paper has 0.05 to 150 for different data, and lets it,
    the learning rate and beta_2 change in training, which is left to you here. Other arguments are as in `dcgan`.

    Raises:
        ZooError: An argument is out of its range.
    """
    filters = filters or widths(image_shape)
    generator = residual_generator(image_shape, latent_size, filters[::-1], num_classes=num_classes)
    discriminator = residual_discriminator(image_shape, filters, num_classes=num_classes)
    options = {"loss": "relativistic", "penalties": [R1(gamma), R2(gamma)], **options}
    return _compiled(generator, discriminator, num_classes, learning_rate, (0.0, 0.99), options)


def _compiled(
    generator: keras.Model,
    discriminator: keras.Model,
    num_classes: int | None,
    learning_rate: float,
    betas: tuple[float, float],
    options: dict[str, Any],
) -> GAN:
    model = (GAN if num_classes is None else ConditionalGAN)(generator, discriminator, **options)
    model.compile(*(keras.optimizers.Adam(learning_rate, *betas) for _ in range(2)))
    return model
