"""A score model of MNIST: a U-Net that denoises at all levels, trained without any chain, sampled in 100 evaluations.

zoo train eqm_mnist
"""

from recipes.model_settings import ScoreSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="eqm_mnist",
    data="mnist",
    # Levels of 0.6 are where digits take shape; with the usual median of 0.3 samples were of more pieces.
    model=ScoreSettings(filters=[24, 48, 96], level_median=0.6, sample_steps=100, renewal=1.0),
    train=TrainSettings(epochs=10, batch_size=64, learning_rate=7e-4, validation=1000, dtype="auto"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 667_585
EXPECTED = {
    "frechet_distance": 24.87,
    "frechet_distance_error": 0.69,
    "train_frechet_distance": 3.43,
    "samples": 10_000,
    "real_images": 10_000,
    "features": "classifier_mnist",
    "resizing": "none",
    "data": "mnist",
}
