"""A GAN on MNIST: networks of DCGAN's size, held by R1, sampled from an average of the generator.

zoo train gan_mnist
"""

from recipes.settings import EvaluateSettings, GANSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="gan_mnist",
    data="mnist",
    model=GANSettings(network="dcgan", latent_size=64, filters=[64, 128], r1=1.0, penalty_every=4),
    train=TrainSettings(epochs=40, batch_size=64, learning_rate=5e-4, validation=1000, dtype="mixed_bfloat16"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 672_834
EXPECTED = {}
