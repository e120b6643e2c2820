"""A recipe's settings as a reader sees them: what each is called, what its values are called. Knows no widget."""

from dataclasses import fields

import pandas as pd

from scalp_core.labels import CONDITIONS
from scalp_core.runs.recipe import CHOICES, Recipe
from ui.words import Say

_DEFAULT = Recipe()


def setting_name(name: str, say: Say) -> str:
    """What a field of the recipe is called."""
    if name == "weights":
        return say("retrain_start_from")
    return say("data_set") if name == "data" else say(name)


def choice_name(name: str, choice: str, say: Say) -> str:
    """What one of CHOICES is called."""
    return say(f"choice_{f'{name}_{choice}'}")


def start_name(weights: str, say: Say) -> str:
    """What `weights` of a recipe are called."""
    if weights == "pretrained":
        return say("retrain_pretrained")
    if weights == "none":
        return say("retrain_random")
    return say("retrain_of_run", run=weights.removeprefix("run:")) if weights.startswith("run:") else weights


def setting_value(name: str, value: object, say: Say) -> str:
    """What a field's value is called."""
    if name in CHOICES:
        return choice_name(name, str(value), say)
    if name == "weights":
        return start_name(str(value), say)
    if name == "conditions" and isinstance(value, tuple):
        whole = len(value) == len(CONDITIONS)
        return say("retrain_six") if whole else ", ".join(say.of(condition.text) for condition in value)
    if isinstance(value, tuple):
        return ", ".join(f"{number:g}" for number in value) or say("empty_setting")
    return f"{value:g}" if isinstance(value, float) else str(value)


def special(recipe: Recipe, say: Say) -> pd.DataFrame:
    """A row for every setting that is not the default one: its name, its value, the default."""
    rows = [
        {
            say("setting"): setting_name(one.name, say),
            say("setting_here"): setting_value(one.name, getattr(recipe, one.name), say),
            say("setting_default"): setting_value(one.name, getattr(_DEFAULT, one.name), say),
        }
        for one in fields(Recipe)
        if getattr(recipe, one.name) != getattr(_DEFAULT, one.name)
    ]
    return pd.DataFrame(rows)
