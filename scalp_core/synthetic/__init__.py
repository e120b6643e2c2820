"""The built-in synthetic data set, and how close it is to real pictures."""
