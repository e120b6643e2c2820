"""Datasets: their index, splits, audit and pictures."""
