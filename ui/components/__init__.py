"""Components of our own in the browser."""
