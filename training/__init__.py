"""Commands: what people type to prepare data, train and predict."""

import scalp_core as scalp_core  # settles the surroundings before a command imports what opens files
