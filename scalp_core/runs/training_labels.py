"""The labels that a recipe can learn from: pictures and conditions of its dataset that have some."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.runs.recipe import Recipe

_NEEDED = frozenset({"train", "valid"})  # splits in which a condition needs labels: to learn, and to choose the epoch


def learned_rows(recipe: Recipe, dataset: Dataset) -> npt.NDArray[np.intp]:
    """Return the rows of the training split with a label that counts in the loss.

    A picture without any teaches nothing, and a batch of such pictures has a loss of 0.
    """
    counted = np.ones(len(recipe.conditions), dtype=bool)
    if len(recipe.condition_weights) == len(counted):  # others are refused by Recipe.check; a form may come here first
        counted = np.array(recipe.condition_weights) > 0
    labelled = (~np.isnan(dataset.grades(recipe.conditions)) & counted).any(axis=1)
    return np.flatnonzero(labelled & (dataset.column("part") == "train").to_numpy(dtype=bool))


def learned_pictures_count(recipe: Recipe) -> tuple[int, int]:
    """Return how many pictures a recipe learns from, and how many the training split has; cached."""
    return _count(recipe.data, open_dataset(recipe.data).version, recipe.conditions, recipe.condition_weights)


@lru_cache(maxsize=256)
def _count(data: str, _version: int, conditions: tuple[Condition, ...], weights: tuple[float, ...]) -> tuple[int, int]:
    dataset = open_dataset(data)
    learned = learned_rows(Recipe(data=data, conditions=conditions, condition_weights=weights), dataset)
    return len(learned), int((dataset.column("part") == "train").sum())


def unlabelled_text(recipe: Recipe) -> Text | None:
    """Return the warning that pictures of the training split are left out as they have no label; None without any."""
    learned, pictures = learned_pictures_count(recipe)
    if learned == pictures:
        return None
    left_out = pictures - learned
    return Text(
        f"Training leaves out {left_out:,} of {pictures:,} pictures, which have no label in these conditions; it "
        f"learns from {learned:,}.",
        f"학습 분할 사진 {pictures:,}장 중 {left_out:,}장은 이 증상들의 라벨이 없어 제외하고 "
        f"{learned:,}장으로 학습해요.",
    )


def trainable_conditions(dataset: Dataset) -> tuple[Condition, ...]:
    """Return the conditions with labels to train on and to validate on."""
    return _trainable(dataset.name, dataset.version)


@lru_cache(maxsize=64)
def _trainable(data: str, _version: int) -> tuple[Condition, ...]:
    dataset = open_dataset(data)
    parts = dataset.column("part")
    labelled = {condition: set(parts[dataset.column(condition.value).notna().to_numpy()]) for condition in CONDITIONS}
    return tuple(condition for condition in CONDITIONS if labelled[condition] >= _NEEDED)


def without_unlabelled(recipe: Recipe) -> Recipe:
    """Return a recipe of all six conditions without those that its dataset has no labels for.

    A recipe that names fewer is returned as it is: it asks for these very conditions, and is refused where it cannot
    have them. So is a recipe where no condition has labels.
    """
    kept = trainable_conditions(open_dataset(recipe.data))
    if recipe.conditions != CONDITIONS or not kept:
        return recipe
    weights = recipe.condition_weights
    if len(weights) == len(CONDITIONS):
        weights = tuple(weight for condition, weight in zip(CONDITIONS, weights, strict=True) if condition in kept)
    return replace(recipe, conditions=kept, condition_weights=weights)


def left_out_text(data: str, conditions: Sequence[Condition] = CONDITIONS) -> Text | None:
    """Return the note about conditions that are left out of all six as they have no labels; None without any."""
    kept = trainable_conditions(open_dataset(data))
    names = [condition.text for condition in conditions if condition not in kept]
    if not names or not kept:
        return None
    en, ko = (", ".join(name(language) for name in names) for language in ("en", "ko"))
    return Text(
        f"“{data}” has no labels to train and validate on for {en}: left out.",
        f"“{data}”에 학습·검증 라벨이 없는 증상은 제외해요: {ko}.",
    )
