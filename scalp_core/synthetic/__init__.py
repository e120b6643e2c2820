"""The built-in synthetic dataset, and how close it is to real pictures."""
