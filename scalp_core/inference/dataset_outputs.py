"""A run's outputs for pictures of a dataset, chunk by chunk, and vectors of them kept on disk by content."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.inference import session
from scalp_core.inference.session import Outputs
from scalp_core.parallel import cores
from scalp_core.runs.run import Run
from scalp_core.seals import BLANK, SEAL, require_seal, write_sealed

Vector = npt.NDArray[np.float32]

_CHUNK = 32  # pictures passed through the network at once


def dataset_outputs(run: Run, dataset: Dataset, rows: Iterable[int]) -> Iterator[tuple[list[int], dict[int, Outputs]]]:
    """Yield chunks of rows of the index, and the outputs, without short cuts, of those whose picture could be read.

    Raises:
        ScalpError: the run is damaged or cannot be exported.
    """
    preprocessing, ids, left = run.preprocessing, dataset.column("id"), iter(rows)

    def pixels_of(row: int) -> images.Pixels | None:
        try:
            return images.preprocess(dataset.read(str(ids.iloc[row])), preprocessing)
        except ScalpError:
            return None

    with ThreadPoolExecutor(cores()) as pool:
        while chunk := list(islice(left, _CHUNK)):
            read = zip(chunk, pool.map(pixels_of, chunk), strict=True)
            pictures = {row: pixels for row, pixels in read if pixels is not None}
            each = zip(*session.outputs(run, np.stack(list(pictures.values()))), strict=True) if pictures else ()
            yield chunk, {row: Outputs(*values) for row, values in zip(pictures, each, strict=True)}


def read_vectors(path: Path) -> dict[str, Vector]:
    """Return kept vectors (length,) by their picture's SHA-256; none where the file is missing or damaged."""
    try:
        require_seal(path)
        table = pq.read_table(path)
    except (OSError, ValueError):  # Arrow's own error is a ValueError
        return {}
    contents, lists = table.columns
    values = lists.combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    return dict(zip(contents.to_pylist(), values, strict=True))


def write_vectors(path: Path, vectors: Mapping[str, Vector]) -> None:
    """Keep vectors of one length. A folder that cannot be written only means that they are computed again."""
    if not vectors:
        return
    values = np.stack(list(vectors.values())).astype(np.float32)
    lists = pa.FixedSizeListArray.from_arrays(values.reshape(-1), values.shape[1])
    table = pa.table({"sha256": list(vectors), "values": lists}, metadata={SEAL: BLANK})
    with suppress(OSError):
        write_sealed(path, lambda temporary: pq.write_table(table, temporary))
