"""Names of a recipe's settings and of their values in the reader's language, their limits and explanations."""

from dataclasses import fields

import pandas as pd

from scalp_core.labels import CONDITIONS
from scalp_core.runs.recipe import CHOICES, Recipe
from ui.words import Say

SETTING_LIMITS = {field.name: (field.metadata["low"], field.metadata["high"]) for field in fields(Recipe)}
SETTING_HELP = {field.name: field.metadata["help"] for field in fields(Recipe)}

_DEFAULT = Recipe()


def setting_name(name: str, say: Say) -> str:
    """Return the name of a field of the recipe."""
    if name == "weights":
        return say("retrain_start_from")
    if name == "learns":  # no field of the form, where the start decides it
        return say("learns")
    return say("data_set") if name == "data" else say(name)


def choice_name(name: str, choice: str, say: Say) -> str:
    """Return the name of a member of CHOICES."""
    return say(f"choice_{f'{name}_{choice}'}")


def start_name(weights: str, say: Say) -> str:
    """Return the name of the `weights` of a recipe."""
    if weights == "pretrained":
        return say("retrain_pretrained")
    if weights == "packaged":
        return say("retrain_packaged")
    if weights == "none":
        return say("retrain_random")
    return say.text("retrain_of_run", run=weights.removeprefix("run:")) if weights.startswith("run:") else weights


def setting_value(name: str, value: object, say: Say) -> str:
    """Return the name of the value of a field."""
    if name in CHOICES:
        return choice_name(name, str(value), say)
    if name == "weights":
        return start_name(str(value), say)
    if name == "conditions" and isinstance(value, tuple):
        whole = len(value) == len(CONDITIONS)
        return say("retrain_six") if whole else ", ".join(say.of(condition.text) for condition in value)
    if isinstance(value, tuple):
        return ", ".join(f"{number:g}" for number in value) or say("empty_setting")
    return f"{value:g}" if isinstance(value, float) else str(value) or say("empty_setting")


def changed_settings(recipe: Recipe, say: Say) -> pd.DataFrame:
    """Return a row for every setting that differs from the default: its name, its value, the default."""
    rows = [
        {
            say("setting"): setting_name(field.name, say),
            say("setting_here"): setting_value(field.name, getattr(recipe, field.name), say),
            say("setting_default"): setting_value(field.name, getattr(_DEFAULT, field.name), say),
        }
        for field in fields(Recipe)
        if getattr(recipe, field.name) != getattr(_DEFAULT, field.name)
    ]
    return pd.DataFrame(rows)
