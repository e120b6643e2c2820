"""Networks and their training: the only folder that needs torch."""
