"""From a picture to its gradings, without torch."""
