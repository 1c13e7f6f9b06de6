"""Plain Keras networks for encoders and decoders; any other Keras network does as well."""

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

from zoo.networks.classifier import conv_classifier  # noqa: E402
from zoo.networks.conv import conv_decoder, conv_encoder  # noqa: E402
from zoo.networks.dcgan import dcgan_discriminator, dcgan_generator  # noqa: E402
from zoo.networks.energy import conv_energy  # noqa: E402
from zoo.networks.grid import grid_decoder, grid_encoder  # noqa: E402
from zoo.networks.mlp import mlp_decoder, mlp_encoder  # noqa: E402
from zoo.networks.pixelcnn import pixelcnn  # noqa: E402
from zoo.networks.residual import residual_decoder, residual_encoder  # noqa: E402
from zoo.networks.residual_gan import residual_discriminator, residual_generator  # noqa: E402
from zoo.networks.unet import unet, unet_energy  # noqa: E402

__all__ = [
    "conv_classifier",
    "conv_decoder",
    "conv_encoder",
    "conv_energy",
    "dcgan_discriminator",
    "dcgan_generator",
    "grid_decoder",
    "grid_encoder",
    "mlp_decoder",
    "mlp_encoder",
    "pixelcnn",
    "residual_decoder",
    "residual_discriminator",
    "residual_encoder",
    "residual_generator",
    "unet",
    "unet_energy",
]
