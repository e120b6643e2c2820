"""Every sentence of the interface: there in both languages, used, and worded as a thing that is no medical device."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import pytest
from conftest import ROOT

from scalp_core.data.dataset import PARTS
from scalp_core.data.filters import MEASURED, NAMED
from scalp_core.data.reviews import OUTCOMES
from scalp_core.importing.importer import KINDS
from scalp_core.labels import CONDITIONS
from scalp_core.metrics.operating_point import RULES
from scalp_core.runs.recipe import CHOICES, Recipe
from scalp_core.synthetic.drawing.scene import CONFUSERS
from scalp_core.terms import singular
from ui.compare.cell_pictures import DISAGREEMENTS
from ui.dataset.review import LISTS
from ui.runs.recipe_settings import changed_settings, setting_name, setting_value
from ui.shell import PAGES
from ui.words import WORDS, Say

SOURCES = [ROOT / "Home.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "ui").rglob("*.py"))]
PHASES = ("preparing", "computing", "training", "grading", "exporting", "queued", "starting")

# What an f-string's hole may be filled with.
FAMILIES = {
    "page_{}": PAGES,
    "title_{}": PAGES,
    "chip_{}": ("research", "synthetic", "tempered"),
    "part_{}": PARTS,
    "phase_{}": PHASES,
    "source_{}": ("upload", "folder", "camera", "example", "capture"),
    "{}_pick": ("example", "capture"),
    "gate_{}": ("too_small", "blurred", "over_exposed", "too_dark", "not_a_scalp", "unusual"),
    "finding_{}": tuple(condition.value for condition in CONDITIONS),
    "field_{}": ("id", *NAMED, *MEASURED, "look_alikes"),
    "confuser_{}": tuple(CONFUSERS),
    "official_{}": (*PARTS, "both"),
    "count_{}": ("images", "captures", "sites"),
    "view_{}": (
        "pictures",
        "labels",
        "map",
        "audit",
        "review",
        "import",
        "leaderboard",
        "wall",
        "differences",
        "recall",
        "reliability",
        "pareto",
        "curves",
        "decision",
        "best",
    ),
    "import_kind_{}": KINDS,
    "choice_{}": tuple(f"{name}_{choice}" for name, choices in CHOICES.items() for choice in choices),
    "short_{}": tuple(condition.code for condition in CONDITIONS),
    "matrices_only_{}": tuple(DISAGREEMENTS),
    "matrices_of_{}": tuple(DISAGREEMENTS),
    "rule_{}": RULES,
    **dict.fromkeys(("review_list_{}", "review_none_{}"), LISTS),
    "review_count_{}": OUTCOMES,
    "retrain_way_{}": ("head", "fine_tune", "scratch"),
    "audit_{}": ("severity", "finding", "share", "examples"),
    **dict.fromkeys(("map_{}", "map_note_{}"), ("tsne", "ranks")),
    "evidence_{}": ("local", "whole", "within"),
    **{f"evidence_{{}}_{part}": ("local", "whole", "within") for part in ("note", "for", "against")},
}


def test_one_thing_is_said_in_the_singular() -> None:
    words = Say("en")("dataset_size", images=1, captures=1, sites=21)
    assert words == "1 picture · 1 capture · 21 sites"
    assert singular("1 known sites, 0.1 files, 1,001 runs, 11 models, 1 of 2 pictures") == (
        "1 known site, 0.1 files, 1,001 runs, 11 models, 1 of 2 pictures"
    )


class Said(NamedTuple):
    """One `say(…)` in the source."""

    where: str
    key: str | None  # None when it is a variable
    values: frozenset[str]


def key_of(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def said() -> Iterator[Said]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("say", "say.text", "self"):
                values = frozenset(keyword.arg or "**" for keyword in node.keywords)
                yield Said(f"{path.name}:{node.lineno}", key_of(node.args[0]), values)


def looped(path: Path) -> Iterator[str]:
    """Keys that reach say(…) by a variable: of `for key, … in ((key, …), …)`, `_number(key, …)`, `_choice(key, …)`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple):
            yield from (key_of(elt.elts[0]) or "" for elt in node.iter.elts if isinstance(elt, ast.Tuple))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("_number", "_choice", "_typed"):
            yield key_of(node.args[0]) or ""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def members(family: str) -> set[str]:
    return {family.format(member) for member in FAMILIES[family]}


def test_used_words_exist_with_their_placeholders() -> None:
    for where, key, values in said():
        if key is None:
            continue
        keys = members(key) if "{}" in key else {key}
        for item in keys:
            assert item in WORDS, f"{where} says “{item}”"
            wanted = placeholders(WORDS[item].en)
            if "**" not in values:
                assert wanted <= values, f"{where}: “{item}” needs {wanted - values}"
                assert "{}" in key or values == wanted, f"{where}: “{item}” does not say {values - wanted}"


def test_nothing_is_left_over() -> None:
    used = {key for path in SOURCES for key in looped(path)}
    assert used <= WORDS.keys()
    for _, key, _ in said():
        if key:
            used |= members(key) if "{}" in key else {key}
    assert WORDS.keys() - used == set()


def test_both_languages_say_the_same() -> None:
    assert [key for key, text in WORDS.items() if not (text.en.strip() and text.ko.strip())] == []
    assert [key for key, text in WORDS.items() if placeholders(text.en) != placeholders(text.ko)] == []


def test_korean_is_korean() -> None:
    # Names that are the same in both.
    same = {"title_home", "metric_quadratic_weighted_kappa", "metric_average_mean_absolute_error", "size_kb"}
    assert {key for key, text in WORDS.items() if not re.search("[가-힣]", text.ko)} <= same
    assert {key for key, text in WORDS.items() if re.search("[가-힣]", text.en)} == set()


def test_no_word_claims_a_medical_act() -> None:
    # An estimate shown as a medical finding would make this a medical device (MFDS guideline on wellness products).
    claims = re.compile("diagnos|진단|처방|치료|prescri|patient|환자", re.IGNORECASE)
    allowed = {"research_only": "are no diagnosis."}
    for key, text in WORDS.items():
        for item in text:
            assert not claims.search(item.replace(allowed.get(key, "\0"), "")), key


def test_part_we_do_not_know_keeps_its_name() -> None:
    assert Say("ko").part("test") == "테스트"
    assert Say("en").part("else") == "else"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_setting_and_value_has_a_name(language: str) -> None:
    say, recipe = Say(language), Recipe()
    names = [setting_name(field.name, say) for field in fields(Recipe)]
    assert len(set(names)) == len(names)
    for field in fields(Recipe):
        assert setting_value(field.name, getattr(recipe, field.name), say)
    assert changed_settings(recipe, say).empty
    changed = changed_settings(replace(recipe, loss="beta", weights="run:mine", condition_weights=(1.0, 2.0)), say)
    assert list(changed[say("setting_here")]) == [
        say("choice_loss_beta"),
        "1, 2",
        say("retrain_of_run", run="mine"),
    ]
