"""A hierarchical VAE on 12,500 colour images of 32x32, a subset of CIFAR-10 that went through JPEG.

    zoo train hvae_cifar10_jpeg_subset

The pixels are not those of CIFAR-10, so that the figure compares with nothing but itself. Each pixel is a mixture of
discretized logistics over 256 levels, blue given green given red.
"""

from recipes.model_settings import HierarchicalVAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="hvae_cifar10_jpeg_subset",
    data="cifar10_jpeg_subset",
    model=HierarchicalVAESettings(
        filters=[48, 64],
        hidden=128,
        latents=[[32], [8, 8], [8, 8]],
        decoder_filters=[32],
        likelihood="discretized_logistic_mixture",
        kl_warm_up=1000,
    ),
    train=TrainSettings(epochs=40, batch_size=64, learning_rate=1e-3, validation=500),
    evaluate=EvaluateSettings(draws=100, images=2000),
)

PARAMETERS = 1_456_730
EXPECTED = {
    "nll": 7586.45,
    "standard_error": 31.52,
    "bits_per_dimension": 3.563,
    "data": "cifar10_jpeg_subset",
    "images": 2000,
    "draws": 100,
}
