"""A VQ-VAE on MNIST with a PixelCNN over its 4x4 grids of codes.

    zoo train vqvae_mnist

The figure is a bound: the code of an image is one grid, so that no draws can tighten it. More codes make sharper copies
of images, and grids that the PixelCNN learns less well: with 256 the bound was looser and samples worse.
"""

from recipes.model_settings import VQVAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="vqvae_mnist",
    data="mnist",
    model=VQVAESettings(filters=[32, 64, 64], channels=16, blocks=1, codes=64, prior_filters=64, prior_epochs=30),
    train=TrainSettings(epochs=20, batch_size=128, learning_rate=1e-3, validation=1000),
    evaluate=EvaluateSettings(draws=1, images=10_000),
)

PARAMETERS = 757_010
EXPECTED = {
    "nll": 100.87,
    "standard_error": 0.24,
    "data": "mnist",
    "images": 10_000,
    "draws": 1,
    "frechet_distance": 20.44,
    "frechet_distance_error": 0.61,
    "train_frechet_distance": 3.43,
    "samples": 10_000,
    "real_images": 10_000,
    "features": "classifier_mnist",
    "resizing": "none",
}
