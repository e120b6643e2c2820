"""The HTML, CSS and JavaScript of the components: files beside this module."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def asset(name: str) -> str:
    """Return the content of the file `name` of this folder."""
    return asset_path(name).read_text(encoding="utf-8")


def asset_path(name: str) -> Path:
    """Return the path of the file `name` of this folder."""
    return _FOLDER / name
