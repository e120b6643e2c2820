"""Runs: a folder per training run is the whole protocol."""
