"""Recipes of the EBM family."""
