"""A recipe in a file, TOML or JSON: its fields count where a command has no flag for them."""

import argparse
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from scalp_core.errors import ScalpError
from scalp_core.runs.recipe import Recipe, bad_field, recipe_from

_DEFAULTS = {field.name: field.default for field in fields(Recipe)}
# Options of a command that a file may hold too, and their types.
_OWN = {"architectures": tuple, "seeds": int, "per_condition": bool, "prefix": str, "name": str}
_NUMBERS = ("condition_weights",)  # lists of these, other lists of words
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word", tuple: "a list"}
_KINDS_KO = {bool: "true나 false", int: "정수", float: "숫자", str: "문자열", tuple: "목록"}


def add_recipe_file(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the file."""
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE", help="fields of a recipe, TOML or JSON, such as a run's recipe.json"
    )


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command's arguments; where no flag is given, the file of `--recipe` counts before the defaults.

    Raises:
        ScalpError: `bad_recipe_file`, it cannot be read; `bad_recipe`, a field in it is not one of this command.
    """
    options = parser.parse_args(arguments)
    if options.recipe:
        parser.set_defaults(**_defaults(options.recipe, vars(options)))
        options = parser.parse_args(arguments)
    return options


def _defaults(path: Path, options: Mapping[str, object]) -> dict[str, Any]:
    values = read_recipe(path)
    kinds = {name: type(default) for name, default in _DEFAULTS.items()} | _OWN
    for name, value in values.items():
        if name in kinds and not _fits(name, value, kinds[name]):
            raise bad_field(name, value, _KINDS[kinds[name]], _KINDS_KO[kinds[name]])
    if "architecture" in values and "architectures" in options:  # a sweep has several
        values["architectures"] = [values.pop("architecture"), *values.pop("architectures", [])]
    if unknown := sorted(values.keys() - (options.keys() & kinds.keys())):
        raise _unreadable(path, f"it has no field “{unknown[0][:40]}”", f"“{unknown[0][:40]}” 항목은 없어요")
    return values


def _fits(name: str, value: object, kind: type) -> bool:
    if kind is tuple:
        item = float if name in _NUMBERS else str
        return isinstance(value, list) and all(_fits("", entry, item) for entry in value)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int | float if kind is float else kind)


def read_recipe(path: Path) -> dict[str, Any]:
    """Read a recipe's fields from TOML or, where the name ends in .json, from JSON; of a run's recipe.json its recipe.

    Raises:
        ScalpError: `bad_recipe_file`, it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error), error.strerror or str(error)) from error
    except ValueError as error:  # neither UTF-8, nor JSON or TOML; each says where
        raise _unreadable(path, str(error), str(error)) from error
    if isinstance(values, dict) and isinstance(values.get("recipe"), dict):  # of a run, beside what it was created from
        of_run = "evaluation_hash" in values
        values = json.loads(json.dumps(asdict(recipe_from(values["recipe"])))) if of_run else values["recipe"]
    if not isinstance(values, dict):
        raise _unreadable(path, "it holds no fields", "항목이 없어요")
    return {name.replace("-", "_"): value for name, value in values.items()}


def _unreadable(path: Path, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "bad_recipe_file",
        f"The recipe in {path} cannot be used: {en}.",
        f"{path}의 학습 설정을 쓸 수 없어요: {ko}.",
    )
