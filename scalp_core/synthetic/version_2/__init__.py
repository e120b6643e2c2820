"""The generator as it was: the shipped runs learned from its pictures. It goes when runs learn from version 3."""
