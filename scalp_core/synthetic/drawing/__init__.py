"""Draws one microscope picture of a scalp from its parameters. Knows no file, no label table and no dataset."""
