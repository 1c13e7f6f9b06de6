"""Recipes of the VAE family: a file each, named as the recipe is."""
