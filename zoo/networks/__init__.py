"""Plain Keras networks for encoders and decoders; any other Keras network does as well."""

from zoo.networks.conv import conv_decoder, conv_encoder
from zoo.networks.mlp import mlp_decoder, mlp_encoder

__all__ = ["conv_decoder", "conv_encoder", "mlp_decoder", "mlp_encoder"]
