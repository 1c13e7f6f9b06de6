"""Recipes of the GAN family."""
