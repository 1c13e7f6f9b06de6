"""A hierarchical VAE on MNIST, binarized anew at every step: four levels of latents, from the whole digit down.

    zoo train hvae_mnist

One level of 16 latents sees the whole image, and three have 8 channels at 7x7. What to expect, and how it was
measured, is on the card of the preset `hvae_mnist`, which this makes.
"""

from recipes.model_settings import HierarchicalVAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="hvae_mnist",
    data="mnist",
    model=HierarchicalVAESettings(
        filters=[32, 64],
        hidden=128,
        resolutions=1,
        latents=[[16], [8, 8, 8]],
        decoder_filters=[32, 16],
        kl_warm_up=4610,
        free_bits=0.5,
    ),
    train=TrainSettings(epochs=100, batch_size=128, learning_rate=2e-3, validation=1000),
    evaluate=EvaluateSettings(draws=500, images=10_000),
)

PARAMETERS = 1_123_153
EXPECTED = {"nll": 80.02, "standard_error": 0.20, "data": "mnist", "images": 10_000, "draws": 500}
PUBLISHED = "81.09, larger, static binarization (Tomczak and Welling 2018); 78.01 (Vahdat and Kautz 2020)"
