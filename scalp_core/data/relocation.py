"""Points a dataset to the folder that its pictures have moved to, after a look at their content."""

import os
import zlib
from dataclasses import replace
from pathlib import Path

from scalp_core.data.dataset import Dataset, claimed
from scalp_core.data.index_writer import change_columns
from scalp_core.errors import ScalpError
from scalp_core.sampling import evenly_spaced
from scalp_core.seals import SealBrokenError

# Pictures whose content is compared, spread evenly over the ids. All of them would take as long as reading the whole
# data; a folder of other pictures, or an older copy of these, shows in a few hundred.
_COMPARED = 500


def relocate(dataset: Dataset, folder: Path) -> Dataset:
    """Let the pictures of a dataset be read from `folder`, and return it; the index stays the same otherwise.

    Raises:
        ScalpError: its pictures lie in the dataset itself, there is no such folder, or it holds other content.
    """
    if not dataset.source:
        raise ScalpError(
            "not_relocatable",
            f"The pictures of “{dataset.name}” lie in the dataset itself, {dataset.folder}.",
            f"“{dataset.name}”의 사진은 데이터셋 폴더({dataset.folder}) 안에 있어요.",
        )
    source = os.path.realpath(folder)
    made = dataset.made | ({"source": source} if "source" in dataset.made else {})
    moved = replace(dataset, source=source, made=made)
    ids = dataset.column("id")
    for row in evenly_spaced(len(ids), _COMPARED):
        _check_picture(moved, str(ids.iloc[row]))
    with claimed(dataset.name):
        return change_columns(moved, {})


def _check_picture(moved: Dataset, image_id: str) -> None:
    try:
        moved.read_file(image_id)
    except SealBrokenError as error:
        en, ko = f"“{image_id}” is another picture there", f"“{image_id}” 사진의 내용이 달라요"
        raise _other_content(moved, en, ko) from error
    except (OSError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        en, ko = f"“{image_id}” cannot be read there ({reason})", f"“{image_id}” 사진을 읽을 수 없어요 ({reason})"
        raise _other_content(moved, en, ko) from error


def _other_content(moved: Dataset, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "other_content",
        f"{moved.source} does not hold the pictures of “{moved.name}”: {en}. Name the folder that took the place of "
        "the imported one, or import anew.",
        f"{moved.source} 폴더는 “{moved.name}”의 사진 폴더가 아니에요: {ko}. 가져왔던 폴더가 옮겨진 위치를 지정하거나 "
        "다시 가져오세요.",
    )
