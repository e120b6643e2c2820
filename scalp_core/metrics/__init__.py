"""Statistics of predictions: pure functions of tables."""
