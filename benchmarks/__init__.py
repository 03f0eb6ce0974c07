"""Measurements beside other people's systems, and of speed. Not part of the package; see README.md here."""
