"""Synthetic indexes of any size: rows like those of the imported real data, without pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measuring import REAL_SITES, label_vectors
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.splits import PART_SHARES
from scalp_core.synthetic.generate import CAPTURE_SIZES, FIRST_EPOCH_MS, FRAMES, LAST_EPOCH_MS, REGION_OF_FRAME

_BATCH = 65_536  # rows


def write_rows(folder: Path, rows: int, seed: int) -> Dataset:
    """Write a dataset of `rows` synthetic rows that look like the imported real ones; its pictures do not exist.

    190 sites, captures of about four, labels as often together as in the real data, one row in a hundred unlabelled,
    quality, answers of a questionnaire and a few look-alikes. Written in batches: memory stays flat.
    """
    facts: dict[str, object] = {"generator": "benchmarks", "rows": rows, "seed": seed}
    return write_dataset(folder, "synthetic", facts, _batches(rows, seed))


def _batches(rows: int, seed: int) -> Iterator[pd.DataFrame]:
    generator = np.random.default_rng(seed)
    sites = min(REAL_SITES, rows)
    ends = np.linspace(0, rows, sites + 1).astype(int)
    waiting: list[pd.DataFrame] = []
    written = 0
    for site, images in enumerate(np.diff(ends)):
        waiting.append(_site_rows(site, int(images), generator))
        if site == sites - 1 or ends[site + 1] - written >= _BATCH:
            yield _with_columns(pd.concat(waiting, ignore_index=True), written, generator)
            waiting, written = [], ends[site + 1]


def _site_rows(site: int, images: int, generator: np.random.Generator) -> pd.DataFrame:
    """Return one site's rows in the order of ids: site, device, moment, frame."""
    devices = np.sort(generator.integers(2, size=images))  # at most one capture an image
    moments = np.sort(generator.choice(LAST_EPOCH_MS - FIRST_EPOCH_MS, images, replace=False)) + FIRST_EPOCH_MS
    sizes = generator.choice(len(CAPTURE_SIZES), images, p=CAPTURE_SIZES) + 1
    chance = generator.random((images, len(FRAMES)))
    capture, frame = np.nonzero(chance.argsort(axis=1).argsort(axis=1) < sizes[:, np.newaxis])
    capture, frames = capture[:images], np.array(FRAMES)[frame[:images]]
    serials = np.array([f"A2LEBJJDE{site:04d}{letter}" for letter in "AB"])[devices]
    captures = np.array([f"{site:04d}_{serial}_{moment}" for serial, moment in zip(serials, moments, strict=True)])
    part = generator.choice(list(PART_SHARES), p=list(PART_SHARES.values()))
    table = pd.DataFrame({"site": f"{site:04d}", "device": serials[capture], "capture": captures[capture]})
    table["region"] = pd.Series(frames).map(REGION_OF_FRAME)
    table["id"] = table["capture"] + "_" + frames.astype(str)
    return table.assign(part=part, path="images/" + table["id"] + "_" + table["region"] + ".jpg")


def _with_columns(rows: pd.DataFrame, first: int, generator: np.random.Generator) -> pd.DataFrame:
    """Add labels, quality and answers; `first` is the place of the first row, which numbers the look-alikes."""
    count = len(rows)
    vectors, folders, chances = label_vectors()
    sampled = generator.choice(len(vectors), count, p=chances)
    labels = pd.DataFrame(vectors[sampled], columns=list(LABEL_COLUMNS), dtype="Int8")
    labels[generator.random(count) < 0.01] = pd.NA
    hashes = generator.bytes(32 * count).hex()
    few = generator.random(count) < 0.01
    columns: dict[str, Any] = {
        "sha256": [hashes[place : place + 64] for place in range(0, len(hashes), 64)],
        "official": generator.choice(["train", "valid", "both"], count, p=(0.74, 0.21, 0.05)),
        "folders": folders[sampled],
        "bytes": generator.integers(220_000, 250_000, count),
        "width": 640,
        "height": 480,
        "sharpness": generator.lognormal(4.6, 0.5, count),
        "lightness": generator.normal(64, 5, count),
        "clipped": generator.beta(1, 40, count),
        "cast_red": generator.normal(4, 6, count),
        "cast_yellow": generator.normal(6, 4, count),
        "look": generator.integers(2**63, size=count, dtype=np.uint64),
        "look_alikes": pd.Series(first + (np.cumsum(few) - 1) // 2, dtype="Int32").where(few),
        "meta_gender": generator.choice(["남", "여"], count),
        "meta_age": generator.choice(["20대", "30대", "40대", "50대"], count),
        "meta_answers1": generator.choice(["매일", "이틀에 한 번", "사흘에 한 번"], count),
    }
    return pd.concat([rows, labels], axis=1).assign(**columns)
