"""Mouths followed through a video."""
