"""A conditional GAN on MNIST: asked for a digit, it draws that one. As `gan_mnist`, with a projection discriminator.

zoo train cgan_mnist
"""

from recipes.settings import EvaluateSettings, GANSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="cgan_mnist",
    data="mnist",
    model=GANSettings(
        network="dcgan", latent_size=64, filters=[64, 128], r1=1.0, penalty_every=4, conditioning="projection"
    ),
    train=TrainSettings(epochs=40, batch_size=64, learning_rate=5e-4, validation=1000, dtype="mixed_bfloat16"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 798_274
EXPECTED = {}
