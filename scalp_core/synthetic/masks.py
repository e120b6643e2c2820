"""The masks of the cues of a synthetic dataset, drawn again from the settings that it was made with."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.synthetic.generate import GENERATOR, GENERATOR_VERSION, PlannedPicture, cue_masks, plan_pictures


def masks_of(dataset: Dataset, image_ids: Iterable[str]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Yield id and masks of some pictures of a synthetic dataset, in their order, each drawn when it is its turn.

    Masks are (6, 480, 640), in order of CONDITIONS, 0–255: how strongly the cue of a condition covers a pixel.

    Raises:
        ScalpError: pictures that this version did not draw, or an id that is not in the dataset.
    """
    pictures, seed = planned_pictures(dataset), seed_of(dataset)
    for image_id in image_ids:
        yield image_id, cue_masks(_picture(pictures, image_id, dataset), seed)


def planned_pictures(dataset: Dataset) -> dict[str, PlannedPicture]:
    """Return the plans of all pictures of a synthetic dataset by their ids, without their pixels.

    Raises:
        ScalpError: pictures that this version did not draw.
    """
    made = dataset.made
    if made.get("generator") != GENERATOR or made.get("version") != GENERATOR_VERSION:
        raise ScalpError(
            "no_masks",
            f"Dataset “{dataset.name}” was not drawn by this version of Scalp Lab, so where its cues lie is not known. "
            "Render a dataset anew with “scalp-lab prepare synthetic”.",
            f"데이터셋 “{dataset.name}”은(는) 이 버전의 Scalp Lab이 그린 것이 아니어서 증상의 위치를 알 수 없어요. "
            "“scalp-lab prepare synthetic”으로 데이터셋을 다시 만드세요.",
        )
    images, evaluation, prior = int(str(made["images"])), int(str(made["evaluation"])), str(made["prior"])
    judged = str(made.get("evaluation_prior", "real"))
    plans = plan_pictures(images, seed_of(dataset), evaluation=evaluation, prior=prior, evaluation_prior=judged)
    return {picture.image_id: picture for picture in plans}


def seed_of(dataset: Dataset) -> int:
    """Return the seed that a synthetic dataset was drawn from."""
    return int(str(dataset.made["seed"]))


def _picture(pictures: dict[str, PlannedPicture], image_id: str, dataset: Dataset) -> PlannedPicture:
    if image_id not in pictures:
        raise ScalpError(
            "unknown_image",
            f"Dataset “{dataset.name}” has no picture “{image_id[:80]}”.",
            f"데이터셋 “{dataset.name}”에 사진 “{image_id[:80]}”이(가) 없어요.",
        )
    return pictures[image_id]
