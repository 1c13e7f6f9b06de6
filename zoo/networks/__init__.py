"""Plain Keras networks for encoders and decoders; any other Keras network does as well."""

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

from zoo.networks.conv import conv_decoder, conv_encoder  # noqa: E402
from zoo.networks.mlp import mlp_decoder, mlp_encoder  # noqa: E402

__all__ = ["conv_decoder", "conv_encoder", "mlp_decoder", "mlp_encoder"]
