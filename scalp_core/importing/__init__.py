"""How pictures of one's own become a dataset."""
