"""Runs compared with each other and with reference levels."""
