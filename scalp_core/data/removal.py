"""Renames and deletes datasets, and refuses it while a process works on them.

`runs/data_use.py` adds what runs need of them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from scalp_core.data.background_jobs import IMPORT, cannot_write
from scalp_core.data.dataset import Dataset, claimed, name_taken, open_dataset
from scalp_core.data.index_writer import write_description
from scalp_core.errors import ScalpError
from scalp_core.files import put_away


def size_of(dataset: Dataset) -> int:
    """Return the bytes that the deletion of a dataset frees; imported pictures that lie elsewhere stay."""
    return sum(path.stat().st_size for path in dataset.folder.rglob("*") if path.is_file())


def take_away(dataset: Dataset) -> Path:
    """Move a dataset out of sight, in one step, and return the folder that is then to be removed.

    Raises:
        ScalpError: `already_making`, `import_unfinished`; `no_dataset`, it is gone; `cannot_write`.
    """
    with _held(dataset):
        return put_away(dataset.folder)


def rename(dataset: Dataset, name: str) -> Dataset:
    """Rename a dataset and return it under its new name; only its folder and description change.

    Raises:
        ScalpError: `bad_name`, `name_taken`; as `take_away`.
    """
    if name == dataset.name:
        raise name_taken(name)
    with _held(dataset), claimed(name) as folder:
        if folder.exists():
            raise name_taken(name)
        dataset.folder.rename(folder)
        renamed = replace(dataset, name=name, folder=folder)
        write_description(renamed)
    return renamed


@contextmanager
def _held(dataset: Dataset) -> Iterator[None]:
    """Hold the lock of a dataset that is there and that no import waits to renew."""
    try:
        with claimed(dataset.name):
            open_dataset(dataset.name)
            if (dataset.folder / f"{IMPORT}.json").exists():
                raise _import_unfinished(dataset.name)
            yield
    except OSError as error:
        raise cannot_write(error) from error


def _import_unfinished(name: str) -> ScalpError:
    return ScalpError(
        "import_unfinished",
        f"An import into “{name}” has not ended well. Stop or dismiss it under “Import” first.",
        f"“{name}” 데이터셋으로 가져오기가 아직 끝나지 않았어요. 먼저 ‘가져오기’에서 중지하거나 닫으세요.",
    )
