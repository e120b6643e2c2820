"""The import of pictures and labels into a dataset."""
