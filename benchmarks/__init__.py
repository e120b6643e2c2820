"""Benchmarks: speed, memory, intervals, and the gate's detection of pictures without a scalp."""
