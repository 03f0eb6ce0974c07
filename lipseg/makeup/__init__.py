"""Lipstick."""
