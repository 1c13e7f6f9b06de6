"""A score model of MNIST: a U-Net that denoises at all levels, trained without any chain, sampled in 40 evaluations.

zoo train eqm_mnist
"""

from recipes.model_settings import ScoreSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="eqm_mnist",
    data="mnist",
    model=ScoreSettings(filters=[24, 48, 96]),
    train=TrainSettings(epochs=10, batch_size=64, learning_rate=7e-4, validation=1000, dtype="auto"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 667_585
EXPECTED = {}
