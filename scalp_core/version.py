"""The version of Scalp Lab, as answers, tables and reports name it."""

__version__ = "0.1.0"
