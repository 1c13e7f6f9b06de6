"""Variational autoencoders."""

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras
