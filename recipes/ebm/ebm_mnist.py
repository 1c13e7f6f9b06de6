"""An energy-based model of MNIST: a convolutional energy, by persistent contrastive divergence with Langevin chains.

zoo train ebm_mnist
"""

from recipes.model_settings import EBMSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="ebm_mnist",
    data="mnist",
    model=EBMSettings(
        filters=[16, 32, 64],
        steps=20,
        buffer_size=2000,
        reinit_rate=0.025,
        regularization=0.1,
        data_noise=0.0025,
        step_size=2.5,
        noise_scale=0.0025,
        gradient_clip=0.06,
        sample_steps=500,
        betas=(0.0, 0.999),
    ),
    train=TrainSettings(epochs=10, batch_size=64, learning_rate=3e-4, clip_norm=0.1, validation=1000, dtype="auto"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 172_657
EXPECTED = {
    "frechet_distance": 76.8,
    "frechet_distance_error": 1.26,
    "train_frechet_distance": 3.43,
    "samples": 10_000,
    "real_images": 10_000,
    "features": "classifier_mnist",
    "resizing": "none",
    "data": "mnist",
}
