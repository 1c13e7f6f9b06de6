"""A VQ-VAE on MNIST with a PixelCNN over its 4x4 grids of codes.

    zoo train vqvae_mnist

The figure is a bound: the code of an image is one grid, so that no draws can tighten it.
"""

from recipes.settings import EvaluateSettings, Settings, TrainSettings, VQVAESettings

SETTINGS = Settings(
    recipe="vqvae_mnist",
    data="mnist",
    model=VQVAESettings(filters=[32, 64, 64], channels=16, blocks=1, codes=256, prior_filters=64, prior_epochs=40),
    train=TrainSettings(epochs=25, batch_size=128, learning_rate=1e-3, validation=1000),
    evaluate=EvaluateSettings(draws=1, images=10_000),
)

PARAMETERS = 788_306
EXPECTED = {
    "nll": 111.25,
    "standard_error": 0.24,
    "data": "mnist",
    "images": 10_000,
    "draws": 1,
    "frechet_distance": 48.06,
    "frechet_distance_error": 1.37,
    "train_frechet_distance": 3.43,
    "samples": 10_000,
    "real_images": 10_000,
    "features": "classifier_mnist",
    "resizing": "none",
}
