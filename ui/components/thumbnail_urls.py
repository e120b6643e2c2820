"""Addresses of thumbnails for our components."""

import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.thumbnails import address


def thumbnail_source(dataset: Dataset, image_id: str) -> str:
    """Return the address of a thumbnail on this server; empty for a picture that the index does not have (any more)."""
    row = dataset.row(image_id)
    if row < 0:
        return ""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}/{address(dataset, row)}" if base else f"/{address(dataset, row)}"
