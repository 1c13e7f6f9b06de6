"""The part of `export_speed.py` that runs in torch's environment; it imports nothing of the zoo.

python torch_export_side.py FOLDER
"""

import sys
from pathlib import Path

import torch
from torch import nn


def networks() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Returns the networks by signature, and the shapes of one row of their inputs."""
    decoder = nn.Sequential(
        nn.Linear(40, 256),
        nn.ELU(),
        nn.Linear(256, 3136),
        nn.ELU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1),
        nn.ELU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1),
        nn.Sigmoid(),
    )
    generator = nn.Sequential(
        nn.Linear(64, 6272, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
        nn.Sigmoid(),
    )
    energy = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1),
        nn.SiLU(),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.SiLU(),
        nn.Conv2d(64, 128, 4, 2, 2),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(2048, 128),
        nn.SiLU(),
        nn.Linear(128, 1),
    )
    return {"decode": (decoder, (40,)), "generate": (generator, (64,)), "energy": (energy, (1, 28, 28))}


def main() -> None:
    """Writes NAME.onnx for each."""
    torch.manual_seed(0)
    for name, (network, shape) in networks().items():
        batch = torch.export.Dim("batch")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, *shape),),
            Path(sys.argv[1]) / f"{name}.onnx",
            dynamo=True,
            dynamic_shapes=({0: batch},),
        )


if __name__ == "__main__":
    main()
