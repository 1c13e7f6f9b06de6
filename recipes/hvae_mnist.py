"""A hierarchical VAE on MNIST, binarized anew at every step: four levels of latents, from the whole digit down.

    zoo train hvae_mnist

One level of 16 latents sees the whole image, two have 8 channels at 7x7, and one has 4 at 14x14. What to expect, and
how it was measured, is on the card of the preset `hvae_mnist`, which this makes.
"""

from recipes.settings import EvaluateSettings, HierarchicalVAESettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="hvae_mnist",
    data="mnist",
    model=HierarchicalVAESettings(
        filters=[32, 64],
        hidden=128,
        latents=[[16], [8, 8], [4]],
        encoder_blocks=1,
        blocks=1,
        decoder_filters=16,
        kl_warm_up=4610,
        free_bits=0.5,
    ),
    train=TrainSettings(epochs=100, batch_size=128, learning_rate=2e-3, validation=1000),
    evaluate=EvaluateSettings(draws=500, images=10_000),
)

PARAMETERS = 1_091_473
EXPECTED = {"nll": 0.0, "standard_error": 0.0, "data": "mnist", "images": 10_000, "draws": 500}
