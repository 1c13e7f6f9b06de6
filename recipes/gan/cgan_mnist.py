"""A conditional GAN on MNIST: asked for a digit, it draws that one. A projection discriminator, held by R1.

zoo train cgan_mnist
"""

from recipes.model_settings import GANSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="cgan_mnist",
    data="mnist",
    model=GANSettings(
        network="dcgan", latent_size=64, filters=[64, 128], r1=1.0, penalty_every=4, conditioning="projection"
    ),
    train=TrainSettings(epochs=40, batch_size=64, learning_rate=5e-4, validation=1000, dtype="auto"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 798_274
EXPECTED = {
    "frechet_distance": 3.95,
    "frechet_distance_error": 0.34,
    "train_frechet_distance": 3.43,
    "data": "mnist",
    "samples": 10_000,
    "real_images": 10_000,
    "features": "classifier_mnist",
    "resizing": "none",
    "conditional_accuracy": 0.9871,
    "conditional_accuracy_error": 0.0011,
}
