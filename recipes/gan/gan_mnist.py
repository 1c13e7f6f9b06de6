"""A GAN on MNIST: networks of DCGAN's size, held by R1, sampled from an average of the generator.

The discriminator ends in a dense layer that sees the whole image: without, it takes parts of two digits for one.

zoo train gan_mnist
"""

from recipes.model_settings import GANSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="gan_mnist",
    data="mnist",
    model=GANSettings(network="dcgan", latent_size=64, filters=[64, 128], hidden=256, r1=1.0, penalty_every=4),
    train=TrainSettings(epochs=40, batch_size=64, learning_rate=5e-4, validation=1000, dtype="auto"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 2_272_706
EXPECTED = {
    "frechet_distance": 12.36,
    "frechet_distance_error": 0.69,
    "train_frechet_distance": 3.43,
    "data": "mnist",
    "samples": 10_000,
    "real_images": 10_000,
    "features": "classifier_mnist",
    "resizing": "none",
}
