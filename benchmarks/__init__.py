"""Benchmarks: speed, memory, intervals, and the gate's detection of pictures without a scalp."""

import scalp_core as scalp_core  # settles the surroundings before a command imports what opens files
