"""Draws one microscope picture of a scalp from its parameters."""
