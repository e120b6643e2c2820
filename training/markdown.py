"""Markdown tables, and the figures in them, for the output of commands."""

import math
from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table; the first row is its heading."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def interval(value: float, low: float, high: float, form: str = ".3f") -> str:
    """Format a figure with its interval, where it has one."""
    return figure(value, form) if math.isnan(low) else f"{value:{form}} [{low:{form}}, {high:{form}}]"


def figure(value: float, form: str = ".3f") -> str:
    """Format a figure; a dash where it is undefined."""
    return "–" if math.isnan(value) else f"{value:{form}}"
