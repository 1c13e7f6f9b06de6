"""Builds GANs from settings."""

import zoo
from recipes.builders.labels import classes_of
from recipes.data import Dataset
from recipes.model_settings import GANSettings
from zoo.errors import ZooError
from zoo.gan.penalties import R1, R2, GradientPenalty
from zoo.model import GenerativeModel


def gan(settings: GANSettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained GAN."""
    networks, filters, shape = zoo.networks, settings.filters, data.image_shape
    num_classes = None if settings.conditioning is None else classes_of(data)
    told = {} if settings.conditioning is None else {"num_classes": num_classes, "conditioning": settings.conditioning}
    options = {"num_classes": num_classes}
    if settings.network == "dcgan":
        generator = networks.dcgan_generator(shape, settings.latent_size, filters[::-1], **options)
        told["hidden"] = settings.hidden
        discriminator = networks.dcgan_discriminator(shape, filters, settings.normalization, **told)
    else:
        if settings.normalization != "none":
            raise ZooError(
                f"residual networks have no normalization={settings.normalization}: leave model.normalization out, or "
                "take model.network=dcgan"
            )
        generator = networks.residual_generator(shape, settings.latent_size, filters[::-1], **options)
        discriminator = networks.residual_discriminator(shape, filters, **told)
    held = [
        penalty(weight, settings.penalty_every)
        for penalty, weight in ((R1, settings.r1), (R2, settings.r2), (GradientPenalty, settings.gradient_penalty))
        if weight
    ]
    shared = ("loss", "discriminator_steps", "average", "augmentation", "label_smoothing", "weight_clip")
    return (zoo.GAN if num_classes is None else zoo.ConditionalGAN)(
        generator, discriminator, penalties=held, seed=seed, **{name: getattr(settings, name) for name in shared}
    )
