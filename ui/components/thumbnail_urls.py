"""Addresses of thumbnails for our components."""

from scalp_core.base_path import base_path
from scalp_core.data.dataset import Dataset
from scalp_core.data.thumbnails import address


def thumbnail_source(dataset: Dataset, image_id: str) -> str:
    """Return the address of a thumbnail on this server; empty for a picture that the index does not have (any more)."""
    row = dataset.row(image_id)
    return f"{base_path()}/{address(dataset, row)}" if row >= 0 else ""
