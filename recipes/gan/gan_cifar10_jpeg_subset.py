"""A GAN on 12,500 colour images of 32x32, a subset of CIFAR-10 that went through JPEG.

    zoo train gan_cifar10_jpeg_subset

So few images are learned by heart by a discriminator that always sees them whole: they are shifted, recoloured and cut
before it judges them (Zhao et al. 2020). Figures are in the features of a small classifier of the same data.
"""

from recipes.model_settings import GANSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="gan_cifar10_jpeg_subset",
    data="cifar10_jpeg_subset",
    model=GANSettings(
        network="dcgan",
        latent_size=128,
        filters=[64, 128, 256],
        r1=0.1,
        penalty_every=4,
        augmentation=["color", "translation", "cutout"],
        betas=(0.0, 0.99),
    ),
    train=TrainSettings(epochs=60, batch_size=64, learning_rate=2e-4, validation=500, dtype="auto"),
    evaluate=EvaluateSettings(images=2000, samples=10_000),
)

PARAMETERS = 1_847_492
EXPECTED = {}
