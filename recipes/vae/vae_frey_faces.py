"""A convolutional VAE on the Frey faces, 1,965 frames of a film, 28x20: test frames have near copies in training.

    zoo train vae_frey_faces

Grey, as 256 levels. The figure is in bits per dimension on a fixed random fifth of the frames, as is usual. With 500
passes the loss of the validation images was least after some 200, whence their number here.
"""

from recipes.model_settings import VAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="vae_frey_faces",
    data="frey_faces",
    model=VAESettings(
        network="conv",
        latent_size=40,
        hidden=256,
        filters=[32, 64],
        likelihood="discretized_logistic_mixture",
    ),
    train=TrainSettings(epochs=200, batch_size=64, learning_rate=1e-3, validation=150),
    evaluate=EvaluateSettings(draws=1000, images=393),
)

PARAMETERS = 1_254_303
EXPECTED = {
    "nll": 1716.49,
    "standard_error": 11.89,
    "bits_per_dimension": 4.422,
    "data": "frey_faces",
    "images": 393,
    "draws": 1000,
}
