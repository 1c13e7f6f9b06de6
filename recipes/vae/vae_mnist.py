"""A convolutional VAE on MNIST, binarized anew at every step.

    zoo train vae_mnist

The network is small enough for two cores: two convolutions of 32 and 64 filters, 40 latents, one hidden layer
of 256. What to expect, and how it was measured, is on the card of the preset `vae_mnist`, which this makes.
"""

from recipes.model_settings import VAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="vae_mnist",
    data="mnist",
    model=VAESettings(network="conv", latent_size=40, hidden=256, filters=[32, 64], activation="elu"),
    train=TrainSettings(epochs=200, batch_size=128, learning_rate=1e-3, validation=1000),
    evaluate=EvaluateSettings(draws=1000, images=10_000),
)

PARAMETERS = 1_706_769
EXPECTED = {"nll": 83.90, "standard_error": 0.21, "data": "mnist", "images": 10_000, "draws": 1000}
