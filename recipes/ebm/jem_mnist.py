"""A classifier of MNIST whose logits are energies: it classifies, draws digits that are asked for, and tells others.

zoo train jem_mnist
"""

from recipes.model_settings import JEMSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="jem_mnist",
    data="mnist",
    model=JEMSettings(
        filters=[32, 64, 128],
        steps=20,
        reinit_rate=0.05,
        regularization=0.01,
        data_noise=0.015,
        step_size=0.25,
        noise_scale=0.005,
        sample_steps=200,
    ),
    train=TrainSettings(epochs=12, batch_size=64, learning_rate=2e-4, clip_norm=1.0, validation=1000, dtype="auto"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 428_138
EXPECTED = {}
