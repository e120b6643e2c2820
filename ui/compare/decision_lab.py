"""The decision lab: how a run's probabilities become grades, tried live and saved as its operating point. Knows no
statistics of its own.

The choices are in the address (`rule`, `tau`, `cost`), and so is the part (`lab_part`), which is never the test part.
"""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
import streamlit as st

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.charts.decision_charts import METRIC_NAMES, decision_chart
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.labels import GRADES, REGIONS, Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.metrics import METRICS, Counts
from scalp_core.metrics.operating_point import (
    COSTS,
    COVERAGE,
    LARGEST_COST,
    MAX_WHO,
    MAX_WHY,
    PART,
    RULES,
    TAUS,
    Cost,
    Decision,
    LabelledPredictions,
    best_decision,
    cost_of,
    decide_grades,
    evaluate_sets,
    labelled_predictions,
    set_rule,
    tau_curves,
    with_decision,
)
from scalp_core.runs.champions import champions
from scalp_core.runs.run import Run
from ui.choices import choose, choose_from_list, link_params, moved, settle, write_address
from ui.compare.selection import ModelSelection
from ui.components.gallery import show_gallery
from ui.components.matrices import Matrix, MatrixCell, parse_cell, show_matrices
from ui.feedback import errors, toast_after_rerun
from ui.runs.operating_point import decision_words, show_versions
from ui.words import Say

PARTS = (PART, "valid")
SHOWN_PICTURES = 24
_SIDES = ("here", "stored")
_COST_RULE = "expected_cost"
_DECIDING = ("rule", "tau", "cost")  # of the address


def show_decision(one: ModelSelection, say: Say) -> None:
    """Choose a run and how it decides; see what becomes of it; save it."""
    _lab(one, say)


# A fragment: trying leaves the rest of the page alone.
@st.fragment
def _lab(one: ModelSelection, say: Say) -> None:
    with errors(say):
        st.caption(say("lab_note"))
        bench = _choose_bench(one, say)
        if bench is None:
            return
        _begin_anew(bench)
        chosen = _choose_decision(bench, say)
        _matrices(bench, chosen, say)
        _cell(one.dataset, bench, chosen, say)
        left, right = st.columns(2)
        with left:
            _table(bench, chosen, say)
        with right:
            _curves(bench, chosen, say)
        _save(bench, chosen, say)
        show_versions(bench.run, say)


# ---- what is tried, on what ----


@dataclass(frozen=True)
class _Bench:
    """A run's condition, and the pictures on which its decision is tried."""

    run: Run
    condition: Condition
    part: str

    @property
    def id(self) -> str:
        return f"{self.run.id}-{self.condition.value}"

    @cached_property
    def stored(self) -> Decision:
        return self.run.operating_point.decision(self.condition)

    @property
    def shown(self) -> LabelledPredictions:
        return self._labelled(self.part)

    @property
    def calibration(self) -> LabelledPredictions:
        return self._labelled(PART)

    def _labelled(self, part: str) -> LabelledPredictions:
        return _labelled(self.run, self.run.finished_ns, self.condition, part)

    @cached_property
    def optimum(self) -> Decision | None:
        """What a fit decides; None where nothing could be fitted."""
        return _optimum(self.run, self.run.changed_ns, self.condition) if self.stored.fitted else None

    def counts(self, decision: Decision) -> Counts:
        """Its confusion matrix on the part that is shown."""
        return metrics.count(self.shown.truth, decide_grades(decision, self.shown))


@lru_cache(maxsize=32)
def _labelled(run: Run, _finished_ns: int, condition: Condition, part: str) -> LabelledPredictions:
    return labelled_predictions(run.raw_predictions, condition, part)


@lru_cache(maxsize=32)
def _optimum(run: Run, _changed_ns: int, condition: Condition) -> Decision:
    point = run.operating_point
    calibration = _labelled(run, run.finished_ns, condition, PART)
    return best_decision(point.decision(condition), calibration, point.recall_floor)


def _choose_bench(one: ModelSelection, say: Say) -> _Bench | None:
    sides = {side.key: side for side in one.sides if one.condition in side.runs[0].recipe.conditions}
    if not sides:
        st.info(say("compare_no_model"))
        return None
    places = iter(st.columns(3))
    with next(places):
        names = {key: side.name for key, side in sides.items()}
        side = sides[choose_from_list(say("lab_side"), names, "lab_side", say.language)]
    run = side.runs[0]
    if len(side.runs) > 1:
        seeds = {run.id: say("lab_seed", seed=run.recipe.seed, run=run.id) for run in side.runs}
        with next(places):
            name = choose_from_list(say("run"), seeds, "lab_run", say.language)
        run = next(run for run in side.runs if run.id == name)
    with next(places):
        part = choose(say("part"), {part: say.part(part) for part in PARTS}, "lab_part", PARTS[0], say.language)
    bench = _Bench(run, one.condition, part)
    if not len(bench.shown.truth):
        st.info(say("lab_unlabelled"))
        return None
    return bench


# ---- the decision of the address ----


def _begin_anew(bench: _Bench) -> None:
    """What was tried on another run or condition means nothing for this one. A link opened afresh keeps its choices."""
    came = moved(*_DECIDING, "lab_cell")
    if st.session_state.setdefault("lab_of", bench.id) != bench.id:
        st.session_state["lab_of"] = bench.id
        if not came:
            write_address(dict.fromkeys((*_DECIDING, "lab_cell")))
    if moved(*_DECIDING):
        _begin_afresh()
    settle(*_DECIDING, "lab_cell")


def _asked(stored: Decision) -> Decision:
    """The decision of the address; what it does not say, or nobody can decide by, is as stored."""
    rule = st.query_params.get("rule", "")
    taus = {f"{tau:g}": tau for tau in TAUS}
    near = min(TAUS, key=lambda tau: abs(tau - stored.tau))
    return replace(
        stored,
        rule=rule if rule in RULES else stored.rule,
        tau=taus.get(st.query_params.get("tau", ""), near),
        cost=_asked_cost(stored),
    )


def _asked_cost(stored: Decision) -> Cost:
    try:
        return cost_of([float(number) for number in st.query_params.get("cost", "").split(",")])
    except (ValueError, ScalpError):
        return stored.cost


def _keep(decision: Decision, stored: Decision) -> None:
    """Write it into the address, unless that says nothing and nothing was chosen."""
    same = decision.way == stored.way and decision.cost == stored.cost
    if same and not any(key in st.query_params for key in _DECIDING):
        return
    costs = ",".join(f"{cost:g}" for row in decision.cost for cost in row)
    tried = decision.rule == _COST_RULE or decision.cost != stored.cost
    write_address({"rule": decision.rule, "tau": f"{decision.tau:g}", "cost": costs if tried else None})


def _begin_from(decision: Decision, stored: Decision) -> None:
    """When a button is pressed, before all is drawn: its widgets start afresh from this decision."""
    _keep(decision, stored)
    _begin_afresh()


def _begin_afresh() -> None:
    """The next widgets are others, which start from the address."""
    st.session_state["lab_version"] = st.session_state.get("lab_version", 0) + 1


# ---- choosing ----


def _choose_decision(bench: _Bench, say: Say) -> Decision:
    """Rule, strength and costs; the decision is whole, with the sets that go with it."""
    asked = _asked(bench.stored)
    version = st.session_state.get("lab_version", 0)
    key = f"{bench.id}-{say.language}-{version}"
    left, right = st.columns(2)
    rule = left.segmented_control(
        say("point_rule"),
        RULES,
        default=asked.rule,
        format_func=lambda rule: say(f"rule_{rule}"),
        required=True,
        wrap=True,
        key=f"lab-rule-{key}",
    )
    tau = right.select_slider(
        say("point_tau"),
        TAUS,
        asked.tau,
        format_func=lambda tau: f"{tau:g}",
        help=say("lab_tau_help"),
        key=f"lab-tau-{key}",
    )
    cost = asked.cost
    if rule == _COST_RULE:
        cost = _choose_cost(bench, replace(asked, rule=rule, tau=tau), key, say)
    chosen = set_rule(bench.stored, bench.calibration, rule or asked.rule, tau, cost)
    _keep(chosen, bench.stored)
    _buttons_back(bench, chosen, say)
    return chosen


def _choose_cost(bench: _Bench, asked: Decision, key: str, say: Say) -> Cost:
    st.markdown(f"**{say('lab_cost')}**")
    st.caption(say("lab_cost_note"))
    with st.container(horizontal=True):
        for name, preset in COSTS.items():
            st.button(
                say.of(preset.text),
                key=f"lab-cost-{name}",
                on_click=_begin_from,
                args=(replace(asked, cost=preset.cost), bench.stored),
            )
    names = [grade_name(grade, say.language) for grade in GRADES]
    editor = f"lab-costs-{key}"
    if editor not in st.session_state:  # what it begins from must not move while somebody types
        st.session_state["lab_costs"] = asked.cost
    table = pd.DataFrame(st.session_state["lab_costs"], index=pd.Index(names, name=say("lab_truth")), columns=names)
    number = st.column_config.NumberColumn(min_value=0, max_value=LARGEST_COST, required=True, format="%g")
    edited = st.data_editor(
        table,
        column_config=dict.fromkeys(names, number),
        width=620,
        key=editor,
        alt=say("lab_cost"),
    )
    return cost_of(edited.to_numpy())


def _buttons_back(bench: _Bench, chosen: Decision, say: Say) -> None:
    with st.container(horizontal=True):
        if bench.optimum is None:
            st.caption(say("lab_no_optimum"))
        else:
            st.button(
                say("lab_to_optimum"),
                key="lab-to-optimum",
                icon=":material/tune:",
                disabled=chosen.way == bench.optimum.way,
                help=decision_words(bench.optimum, say),
                on_click=_begin_from,
                args=(bench.optimum, bench.stored),
            )
        st.button(
            say("lab_to_stored"),
            key="lab-to-stored",
            icon=":material/undo:",
            disabled=chosen.way == bench.stored.way,
            help=decision_words(bench.stored, say),
            on_click=_begin_from,
            args=(bench.stored, bench.stored),
        )


# ---- what becomes of it ----


def _matrices(bench: _Bench, chosen: Decision, say: Say) -> None:
    truth = bench.shown.truth
    rarest = min(int(images) for images in np.bincount(truth) if images)
    st.caption(say("lab_images", part=say.part(bench.part), images=len(truth), rarest=rarest))
    decisions = zip(_SIDES, (say("lab_here"), say("lab_current")), (chosen, bench.stored), strict=True)
    drawn = [
        Matrix(key, name, decision_words(decision, say, costs=False), bench.counts(decision).astype(np.float64))
        for key, name, decision in decisions
    ]
    cell = parse_cell(st.query_params.get("lab_cell", ""), _SIDES)
    show_matrices(drawn, None, cell, key=f"lab-matrices-{bench.id}", on_pick=_pick, say=say)


def _pick(cell: MatrixCell) -> None:
    if st.query_params.get("lab_cell") == str(cell):  # once more: put away
        st.query_params.pop("lab_cell")
    else:
        st.query_params["lab_cell"] = str(cell)


def _cell(dataset: Dataset, bench: _Bench, chosen: Decision, say: Say) -> None:
    """The pictures behind the chosen cell."""
    cell = parse_cell(st.query_params.get("lab_cell", ""), _SIDES)
    if cell is None:
        return
    grades = decide_grades(chosen if cell.side == "here" else bench.stored, bench.shown)
    ids = bench.shown.images[(bench.shown.truth == cell.truth) & (grades == cell.predicted)]
    names = {end: grade_name(getattr(cell, end), say.language) for end in ("truth", "predicted")}
    side = say("lab_here") if cell.side == "here" else say("lab_current")
    st.markdown(say("lab_cell", side=side, count=len(ids), **names))
    if len(ids) > SHOWN_PICTURES:
        st.caption(say("compare_first", count=SHOWN_PICTURES))
    shown = [str(image_id) for image_id in ids[:SHOWN_PICTURES] if dataset.row(str(image_id)) >= 0]
    regions = dataset.column("region").iloc[[dataset.row(image_id) for image_id in shown]]
    captions = [say.of(REGIONS[region]) if region in REGIONS else "" for region in regions]
    picked = show_gallery(dataset, shown, captions, key="lab-cell")
    if picked:
        address = link_params() | {"data": dataset.name, "source": "example", "image": picked}
        st.switch_page("pages/3_Diagnose.py", query_params=address)


def _table(bench: _Bench, chosen: Decision, say: Say) -> None:
    """Every figure of merit that counts can tell, and what the grade sets keep."""
    decisions = {say("lab_here"): chosen, say("lab_current"): bench.stored, say("lab_plain"): Decision()}
    table = pd.DataFrame({name: _figures(bench, decision, say) for name, decision in decisions.items()})
    numbers = {name: st.column_config.NumberColumn(format="%.3f") for name in table}
    numbers[say("lab_plain")]["help"] = say("lab_plain_help")
    table.index.name = say("compare_metrics")
    numbers[table.index.name] = st.column_config.Column(width=130)  # “90 % coverage” has to fit
    st.dataframe(table, column_config=numbers, height="content", placeholder="–", alt=say("compare_metrics"))


def _figures(bench: _Bench, decision: Decision, say: Say) -> dict[str, float]:
    counts, sets = bench.counts(decision), evaluate_sets(decision, bench.shown)
    measured = {
        _arrow(say.of(metric.short), metric.higher_is_better): float(metric.compute(counts))
        for metric in METRICS.values()
        if metric.compute
    }
    return measured | {say("lab_coverage", coverage=f"{COVERAGE:.0%}"): sets.coverage, say("lab_size"): sets.size}


def _arrow(name: str, higher_is_better: bool) -> str:
    return f"{name} {'↑' if higher_is_better else '↓'}"


def _curves(bench: _Bench, chosen: Decision, say: Say) -> None:
    """What other strengths would bring, with the rule chosen here."""
    marked = {"here": chosen, "stored": bench.stored} | ({"optimum": bench.optimum} if bench.optimum else {})
    marks = [{"mark": mark, "tau": decision.tau} | _reached(bench, decision) for mark, decision in marked.items()]
    chart = decision_chart(
        tau_curves(chosen, bench.shown), pd.DataFrame(marks), bench.run.operating_point.recall_floor, say.language
    )
    st.altair_chart(chart, key="lab-curves", alt=say("lab_curves_alt"))
    st.caption(say("lab_curves"))


def _reached(bench: _Bench, decision: Decision) -> dict[str, float]:
    measured = vars(metrics.measure(bench.counts(decision)))
    return {name: measured[name] for name in METRIC_NAMES}


# ---- saving ----


def _save(bench: _Bench, chosen: Decision, say: Say) -> None:
    st.subheader(say("lab_save"))
    name = say.of(bench.condition.text)
    st.caption(say("lab_saves", run=f"`{bench.run.id}`", condition=name, way=decision_words(chosen, say)))
    answers = _answers(bench)
    st.caption(say("lab_answers", condition=name) if answers else say("lab_waits", condition=name))
    same = chosen.way == bench.stored.way
    if same:
        st.caption(say("lab_same"))
    why = say("lab_why_default", condition=name, way=decision_words(chosen, say))
    with st.form(f"lab-save-{bench.id}", border=False):
        left, right = st.columns([1, 2])
        who = left.text_input(say("point_author"), st.session_state.get("lab_who", ""), MAX_WHO, key="lab-who")
        made = bench.run.operating_point.made  # what is saved next has a reason of its own
        typed = right.text_input(say("point_occasion"), "", MAX_WHY, placeholder=why, key=f"lab-why-{made}")
        pressed = st.form_submit_button(say("lab_save_button"), icon=":material/save:", disabled=same)
    if not pressed or same:
        return
    _write(bench, chosen, who or "", typed or why)
    st.session_state["lab_who"] = who
    toast_after_rerun(say("lab_saved", condition=name))
    st.rerun()


def _answers(bench: _Bench) -> bool:
    """Pictures are graded by this run for this condition."""
    champion = champions().get(bench.condition)
    return champion is not None and champion.run == bench.run


def _write(bench: _Bench, chosen: Decision, who: str, why: str) -> None:
    bench.run.verify()  # the sets were measured on what its files say
    bench.run.change_operating_point(lambda point: with_decision(point, bench.condition, chosen, who, why))
