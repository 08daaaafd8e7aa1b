"""Faces for people: browser and terminal."""
