"""Rows of an index without pictures, for tests of writing and splitting."""

import numpy as np
import pandas as pd

from scalp_core.data.dataset import LABEL_COLUMNS


def graded_rows(images: int = 400, sites: int = 40, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    texts = {
        "id": [f"p{number:04d}" for number in range(images)],
        "path": [f"images/p{number:04d}.jpg" for number in range(images)],
        "sha256": "0" * 64,
        "site": [f"s{number % sites}" for number in range(images)],
        "device": "d",
        "capture": [f"c{number // 4}" for number in range(images)],
        "region": "TH",
        "part": "train",
    }
    labels = {column: generator.choice(4, images, p=(0.5, 0.3, 0.15, 0.05)) for column in LABEL_COLUMNS}
    return pd.DataFrame(texts | labels)
