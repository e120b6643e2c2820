"""`python -m benchmarks compare-page`: seconds of every click on the Compare page, with many pictures.

Five networks' answers are simulated; there is neither a picture nor a network.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from benchmarks.measuring import ROOT, WITHOUT_BROWSER, Seconds, machine, measure, measure_apart, memory, write_json
from benchmarks.synthetic_rows import write_rows
from scalp_core.architectures import FAMILIES
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.data.splits import PART_SHARES
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.metrics import METRICS, PROBABILITIES
from scalp_core.metrics.operating_point import PART, RULES, fit
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run

_NAME, _SEED = "benchmark", 0
_JUDGED = ("valid", PART, "test")
_ARCHITECTURES = tuple(variants[0] for variants in FAMILIES.values())


def run(options: argparse.Namespace) -> None:
    """Measure every size in a process of its own, which has read nothing yet."""
    sizes = [_in_own_process(pictures) for pictures in sorted(options.pictures)]
    figures = {"benchmark": "compare-page", "synthetic": True, "machine": machine(), "sizes": sizes}
    _print(figures)
    if options.json:
        write_json(options.json, figures)


def _in_own_process(pictures: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        folder = Path(temporary)
        print(f"{pictures:,} judged pictures: writing and measuring …", file=sys.stderr)
        dataset = write_rows(folder / "data" / _NAME, round(pictures / (1 - PART_SHARES["train"])), _SEED)
        write_runs(dataset, folder / "artifacts")
        figures = measure_apart(folder, "compare-page-measure", **WITHOUT_BROWSER)
        judged = int(dataset.column("part").isin(_JUDGED).sum())
        return {"rows": dataset.images, "judged": judged} | figures


# --- Runs without a network -----------------------------------------------------------------------------------------


def write_runs(dataset: Dataset, artifacts: Path) -> list[Run]:
    """Write a finished run of each family, with a fitted operating point.

    Its answers are the labels, blurred and disturbed: for each network by another amount.
    """
    return [_write_run(dataset, artifacts / name, number) for number, name in enumerate(_ARCHITECTURES)]


def _write_run(dataset: Dataset, folder: Path, number: int) -> Run:
    folder.mkdir(parents=True)
    run, recipe = Run(folder), Recipe(architecture=folder.name, data=dataset.name)
    hashes = {"index_hash": dataset.index_hash, "evaluation_hash": dataset.evaluation_hash}
    request = {"recipe": asdict(recipe), "synthetic": True, "created": datetime.now(UTC).isoformat()}
    run.write_recipe(request | hashes)
    epochs = [{"epoch": epoch, "valid_qwk": 0.5 + epoch / 20, "valid_loss": 1 / epoch} for epoch in (1, 2, 3)]
    run.write_history(epochs)
    run.weights_path.write_bytes(b"")
    write_json(folder / "preprocessing.json", {})
    raw = answers(dataset, number)
    raw.to_parquet(run.predictions_path)
    run.write_operating_point(fit(raw))
    run.write_manifest({"parameters": 1_000_000 * (number + 4)})
    return run


def answers(dataset: Dataset, number: int) -> pd.DataFrame:
    """Return predictions for all pictures that are not trained on: image, condition, part, truth, p0 … p3."""
    generator = np.random.default_rng(number)
    index = dataset.index[dataset.index["part"].isin(_JUDGED).to_numpy()]
    tables = []
    for condition in CONDITIONS:
        truth = index[condition.value].astype("Int8")
        center = truth.fillna(0).to_numpy(np.float64) + generator.normal(0, 0.5 + number / 10, len(truth))
        scores = np.exp(-np.square(center[:, np.newaxis] - np.arange(4)))
        shares = pd.DataFrame(scores / scores.sum(axis=1, keepdims=True), columns=PROBABILITIES, dtype=np.float32)
        columns = {"image": index["id"].to_numpy(), "condition": condition.value, "part": index["part"].to_numpy()}
        tables.append(shares.assign(**columns, truth=truth.to_numpy()))
    return pd.concat(tables, ignore_index=True)


# --- The page -------------------------------------------------------------------------------------------------------


def measure_page(options: argparse.Namespace) -> None:
    """Measure every click; started by `run`."""
    before = memory()
    seconds = measure_clicks(open_dataset(_NAME))
    write_json(options.json, {"seconds": seconds, "memory": {"start": before, "page": memory()}})


def measure_clicks(dataset: Dataset) -> Seconds:
    """Measure each click, each time to another condition where there is one to choose, without the browser's own part.

    Raises:
        RuntimeError: the page failed, so its time means nothing.
    """
    visit = _Visit(dataset)
    return measure({name: visit.clicking(address) for name, address in _clicks(dataset).items()} | _savings(visit))


def _clicks(dataset: Dataset) -> dict[str, Callable[[int], dict[str, str]]]:
    """Return each click as the address that it leads to; the condition changes besides."""
    first, *others = _ARCHITECTURES
    metrics = list(METRICS)
    figures = ("forest", "recall", "reliability", "curves", "pareto")
    return {
        "leaderboard": lambda _: {"view": "leaderboard"},
        "leaderboard, another metric": lambda repeat: {"view": "leaderboard", "metric": metrics[repeat + 1]},
        "leaderboard, another part": lambda repeat: {"view": "leaderboard", "part": _JUDGED[repeat % 2]},
        "leaderboard, another choice of models": lambda repeat: {
            "view": "leaderboard",
            "runs": ",".join((first, *others[: repeat % len(others)], *others[repeat % len(others) + 1 :])),
        },
        "wall": lambda _: {"view": "wall"},
        "wall, a cell": lambda repeat: {"view": "wall", "cell": f"{first}.0.{repeat % 4}"},
        "wall, differences": lambda _: {"view": "wall", "cells": "difference"},
        "wall, all wrong": lambda _: {"view": "wall", "only": "all_wrong"},
        "wall, one right": lambda repeat: {
            "view": "wall",
            "only": "only_right",
            "who": _ARCHITECTURES[repeat % len(_ARCHITECTURES)],
        },
        "wall, answers apart, page 2": lambda _: {"view": "wall", "only": "apart", "page": "2"},
        **{f"differences, {name}": lambda _, name=name: _figure(name) for name in figures},
        "lab": lambda _: {"view": "decision"},
        "lab, another τ": lambda repeat: {"view": "decision", "tau": f"{(repeat + 1) / 8:g}"},
        "lab, another rule": lambda repeat: {"view": "decision", "rule": RULES[repeat % len(RULES)]},
        "lab, a cell": lambda repeat: {"view": "decision", "lab_cell": f"here.0.{repeat % 4}"},
        "best": lambda _: {"view": "best"},
    }


def _figure(name: str) -> dict[str, str]:
    return {"view": "differences", "figure": name, "axis": "parameters"}


class _Visit:
    """A visitor who stays on the page."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def clicking(self, address: Callable[[int], Mapping[str, str]]) -> Callable[[int], object]:
        def click(repeat: int) -> None:
            self.go(address(repeat) | {"condition": CONDITIONS[repeat % len(CONDITIONS)].value})

        return click

    def go(self, address: Mapping[str, str]) -> AppTest:
        # A new session each time, so that its cache is no help.
        at = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=600)
        at.switch_page("pages/2_Compare.py")
        for key, value in {"lang": "en", "data": self.dataset.name, **address}.items():
            at.query_params[key] = value
        at.run()
        if at.exception or at.error:
            raise RuntimeError(f"the page failed: {[error.value for error in (*at.exception, *at.error)]}")
        return at


def _savings(visit: _Visit) -> dict[str, Callable[[int], object]]:
    """Return the interactions after which a run decides otherwise than before."""
    run = Run(Path(os.environ["SCALP_ARTIFACTS"]) / _ARCHITECTURES[0])

    def decide_otherwise(repeat: int) -> None:
        point = run.operating_point
        condition = CONDITIONS[repeat % len(CONDITIONS)]
        decision = point.decision(condition)
        changed = replace(decision, rule=RULES[(RULES.index(decision.rule) + 1) % len(RULES)])
        run.write_operating_point(replace(point, decisions={**point.decisions, condition: changed}))
        visit.go({"view": "leaderboard"})

    return {"leaderboard, after a decision was saved": decide_otherwise}


def _print(figures: dict[str, Any]) -> None:
    computer = figures["machine"]
    print(
        f"Seconds on the Compare page over SYNTHETIC answers of five networks; {computer['cores']} cores, Python",
        end=" ",
    )
    print(f"{computer['python']}, load {computer['load']}. First: nothing of it read yet. Then: the median of five.\n")
    columns = {
        f"{size['judged']:,} {title}": {name: f"{took[kind]:.2f}" for name, took in size["seconds"].items()}
        for size in figures["sizes"]
        for kind, title in (("first", "first"), ("median", "then"))
    }
    print(pd.DataFrame(columns).to_string())
    for size in figures["sizes"]:
        start, page = size["memory"]["start"], size["memory"]["page"]
        print(f"\n{size['judged']:,} pictures: {start['resident']:.0f} → {page['peak']:.0f} MiB at most")
