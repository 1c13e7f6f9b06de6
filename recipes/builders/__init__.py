"""Builds models from settings, a file for each family."""
