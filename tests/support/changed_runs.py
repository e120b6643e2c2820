"""Runs whose files were changed on purpose, and are vouched for again."""

from typing import Any

from scalp_core.files import read_json
from scalp_core.runs.run import Run


def change_recipe(run: Run, recipe: dict[str, Any], **facts: Any) -> None:
    """Change values of a recipe, and facts beside it; the manifest of a finished run vouches for them."""
    created = read_json(run.folder / "recipe.json")
    run.write_recipe(created | facts | {"recipe": created["recipe"] | recipe})
    if run.finished:
        vouch_again(run)


def vouch_again(run: Run) -> None:
    """Let the manifest agree with the files as they are."""
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})
