"""Commands: what people type to prepare data, train and predict."""
