"""Landmarks to pictures: masks, mattes, curves, polygons and measures."""
