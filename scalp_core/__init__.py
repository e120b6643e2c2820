"""Scalp Lab's core: everything that is true without a page, a server or a command line around it."""

__version__ = "0.1.0"
