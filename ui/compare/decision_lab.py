"""The decision lab: rules that turn a run's probabilities into grades, tried live and saved as its operating point.

The choices are in the address (`rule`, `tau`, `cost`, `far`), and so is the split (`lab_part`), which is never the test
split.
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
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.metrics.metrics import METRICS, Counts
from scalp_core.metrics.operating_point import (
    COSTS,
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
    evaluate_referral,
    evaluate_sets,
    labelled_predictions,
    set_rule,
    tau_curves,
    with_decision,
)
from scalp_core.metrics.referral import LIMITS
from scalp_core.runs.champions import champions, logged_elections
from scalp_core.runs.external import ExternalRun
from scalp_core.runs.run import Run
from scalp_core.terms import REGIONS
from ui.access import change_form_button
from ui.choices import address_moved, choose, choose_from_list, link_params, settle_address, write_address
from ui.compare.referral import limit_words
from ui.compare.selection import ModelSelection
from ui.components.matrices import Matrix, MatrixCell, parse_cell, show_matrices
from ui.components.thumbnail_grid import show_thumbnail_grid
from ui.feedback import errors, toast_after_rerun
from ui.frame import toolbar
from ui.markdown import code, literal
from ui.runs.operating_point import decision_words, show_versions
from ui.words import Say

PARTS = (PART, "valid")
_MOST_PICTURES = 24
_MATRICES = ("here", "stored")
_COST_RULE = "expected_cost"
_DECIDING = ("rule", "tau", "cost", "far")  # of the address
_NO_LIMIT = 0.0  # of the slider and the address: nothing is left to a person


def show_decision_lab(selection: ModelSelection, say: Say) -> None:
    """Offer a run and a split in the toolbar and, below it, decisions of that run."""
    if not selection.grading_models:
        st.info(say("compare_no_model"))
        return
    with toolbar():
        bench = _choose_bench(selection, say)
    _try_decisions(selection.dataset, bench, say)


# A fragment: trying leaves the rest of the page alone.
@st.fragment
def _try_decisions(dataset: Dataset, bench: "_Bench", say: Say) -> None:
    """Offer a decision, show what it brings, and offer to save it."""
    with errors(say):
        bench = replace(bench)  # anew: its point may have been changed since the page ran
        if not len(bench.pictures.truth):
            st.info(say("lab_unlabelled"))
            return
        _forget_other_bench(bench)
        decision = _choose_decision(bench, say)
        _show_matrices(bench, decision, say)
        _show_referral(bench, decision, say)
        _show_cell(dataset, bench, decision, say)
        left, right = st.columns(2)
        with left:
            _show_figures(bench, decision, say)
        with right:
            _show_curves(bench, decision, say)
        _offer_saving(bench, decision, say)
        show_versions(bench.run, say)


# ---- the run, the condition and the pictures ----


@dataclass(frozen=True)
class _Bench:
    """A condition of a run, and the pictures on which its decision is tried.

    Attributes:
        part: calibration or validation split.
    """

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
    def pictures(self) -> LabelledPredictions:
        return self._labelled(self.part)

    @property
    def calibration(self) -> LabelledPredictions:
        return self._labelled(PART)

    def _labelled(self, part: str) -> LabelledPredictions:
        return _labelled(self.run, self.run.finished_ns, self.condition, part)

    @cached_property
    def optimum(self) -> Decision | None:
        """The decision of a fit; None where nothing could be fitted."""
        return _optimum(self.run, self.run.changed_ns, self.condition) if self.stored.fitted else None

    def counts(self, decision: Decision) -> Counts:
        """Return the confusion matrix (4, 4) of a decision on the split of the bench."""
        return metrics.count(self.pictures.truth, decide_grades(decision, self.pictures))


@lru_cache(maxsize=32)
def _labelled(run: Run, _finished_ns: int, condition: Condition, part: str) -> LabelledPredictions:
    return labelled_predictions(run.raw_predictions, condition, part)


@lru_cache(maxsize=32)
def _optimum(run: Run, _changed_ns: int, condition: Condition) -> Decision:
    point = run.operating_point
    calibration = _labelled(run, run.finished_ns, condition, PART)
    return best_decision(point.decision(condition), calibration, point.recall_floor)


def _choose_bench(selection: ModelSelection, say: Say) -> _Bench:
    models = {model.key: model for model in selection.grading_models}
    names = {key: model.name for key, model in models.items()}
    model = models[choose_from_list(say("lab_side"), names, "lab_side", say.language)]
    run = model.runs[0]
    if len(model.runs) > 1:
        seeds = {run.id: say.text("lab_seed", seed=run.recipe.seed, run=run.id) for run in model.runs}
        run_id = choose_from_list(say("run"), seeds, "lab_run", say.language)
        run = next(run for run in model.runs if run.id == run_id)
    part = choose(say("part"), {part: say.part(part) for part in PARTS}, "lab_part", PARTS[0], say.language)
    return _Bench(run, selection.condition, part)


# ---- the decision of the address ----


def _forget_other_bench(bench: _Bench) -> None:
    """Clear the choices that were made for another run or condition, but keep those of a link that was opened."""
    by_link = address_moved(*_DECIDING, "lab_cell")
    if st.session_state.setdefault("lab_of", bench.id) != bench.id:
        st.session_state["lab_of"] = bench.id
        if not by_link:
            write_address(dict.fromkeys((*_DECIDING, "lab_cell")))
    if address_moved(*_DECIDING):
        _renew_widgets()
    settle_address(*_DECIDING, "lab_cell")


def _decision_of_address(stored: Decision) -> Decision:
    """Return the decision of the address; parts that it leaves out, or that are no rule or cost, are as stored."""
    rule = st.query_params.get("rule", "")
    taus = {f"{tau:g}": tau for tau in TAUS}
    nearest = min(TAUS, key=lambda tau: abs(tau - stored.tau))
    return replace(
        stored,
        rule=rule if rule in RULES else stored.rule,
        tau=taus.get(st.query_params.get("tau", ""), nearest),
        cost=_cost_of_address(stored),
        far_limit=_limit_of_address(stored),
    )


def _limit_of_address(stored: Decision) -> float | None:
    limits = {f"{limit:g}": limit for limit in (_NO_LIMIT, *LIMITS)}
    limit = stored.far_limit
    nearest = _NO_LIMIT if limit is None else min(LIMITS, key=lambda offered: abs(offered - limit))
    return limits.get(st.query_params.get("far", ""), nearest) or None


def _cost_of_address(stored: Decision) -> Cost:
    try:
        return cost_of([float(number) for number in st.query_params.get("cost", "").split(",")])
    except (ValueError, ScalpError):
        return stored.cost


def _keep(decision: Decision, stored: Decision) -> None:
    """Write the decision into the address, unless that is empty and nothing was chosen."""
    same = decision.way == stored.way and decision.cost == stored.cost
    if same and not any(key in st.query_params for key in _DECIDING):
        return
    costs = ",".join(f"{cost:g}" for row in decision.cost for cost in row)
    costs_count = decision.rule == _COST_RULE or decision.cost != stored.cost
    limited = decision.far_limit is not None or stored.far_limit is not None
    write_address(
        {
            "rule": decision.rule,
            "tau": f"{decision.tau:g}",
            "cost": costs if costs_count else None,
            "far": f"{decision.far_limit or _NO_LIMIT:g}" if limited else None,
        }
    )


def _restart_from(decision: Decision, stored: Decision) -> None:
    """Let new widgets start from this decision: called for a button, before the page runs again."""
    _keep(decision, stored)
    _renew_widgets()


def _renew_widgets() -> None:
    """Let other widgets, which start from the address, take the place of the present ones."""
    st.session_state["lab_version"] = st.session_state.get("lab_version", 0) + 1


# ---- choosing ----


def _choose_decision(bench: _Bench, say: Say) -> Decision:
    """Offer rule, strength and costs, and return the decision with the grade sets that go with it."""
    start = _decision_of_address(bench.stored)
    version = st.session_state.get("lab_version", 0)
    key = f"{bench.id}-{say.language}-{version}"
    with st.container(key="lab-decision", horizontal=True, vertical_alignment="bottom", gap="medium"):
        rule = st.segmented_control(
            say("point_rule"),
            RULES,
            default=start.rule,
            format_func=lambda rule: say(f"rule_{rule}"),
            required=True,
            wrap=True,
            key=f"lab-rule-{key}",
            width="content",
        )
        tau = st.select_slider(
            say("point_tau"),
            TAUS,
            start.tau,
            format_func=lambda tau: f"{tau:g}",
            help=say("lab_tau_help"),
            key=f"lab-tau-{key}",
        )
        limit = st.select_slider(
            say("referral_limit"),
            (_NO_LIMIT, *LIMITS),
            start.far_limit or _NO_LIMIT,
            format_func=lambda limit: limit_words(limit) if limit else say.text("lab_no_limit"),
            help=say("lab_limit_help"),
            key=f"lab-limit-{key}",
        )
        ways_back = st.container(horizontal=True, width="content", gap="small")
    start, cost = replace(start, far_limit=limit or None), start.cost
    if rule == _COST_RULE:
        cost = _choose_cost(bench, replace(start, rule=rule, tau=tau), key, say)
    decision = set_rule(bench.stored, bench.calibration, rule or start.rule, tau, cost, start.far_limit)
    _keep(decision, bench.stored)
    with ways_back:
        _offer_ways_back(bench, decision, say)
    if bench.optimum is None:
        st.caption(say("lab_no_optimum"))
    return decision


def _choose_cost(bench: _Bench, start: Decision, key: str, say: Say) -> Cost:
    st.markdown(f"**{say('lab_cost')}**")
    st.caption(say("lab_cost_note"))
    with st.container(horizontal=True):
        for name, preset in COSTS.items():
            st.button(
                say.plain(preset.text),
                key=f"lab-cost-{name}",
                on_click=_restart_from,
                args=(replace(start, cost=preset.cost), bench.stored),
            )
    names = [grade_name(grade, say.language) for grade in GRADES]
    editor = f"lab-costs-{key}"
    if editor not in st.session_state:  # its start must not move during typing
        st.session_state["lab_costs"] = start.cost
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


def _offer_ways_back(bench: _Bench, decision: Decision, say: Say) -> None:
    """Offer buttons that return to the optimum and to the stored decision."""
    if bench.optimum is not None:
        st.button(
            say("lab_to_optimum"),
            key="lab-to-optimum",
            icon=":material/tune:",
            disabled=decision.way == bench.optimum.way,
            help=literal(decision_words(bench.optimum, say)),
            on_click=_restart_from,
            args=(bench.optimum, bench.stored),
        )
    st.button(
        say("lab_to_stored"),
        key="lab-to-stored",
        icon=":material/undo:",
        disabled=decision.way == bench.stored.way,
        help=literal(decision_words(bench.stored, say)),
        on_click=_restart_from,
        args=(bench.stored, bench.stored),
    )


# ---- what the decision brings ----


def _show_matrices(bench: _Bench, decision: Decision, say: Say) -> None:
    columns = zip(_MATRICES, (say("lab_here"), say("lab_current")), (decision, bench.stored), strict=True)
    matrices = [
        Matrix(key, name, decision_words(compared, say, costs=False), bench.counts(compared).astype(np.float64))
        for key, name, compared in columns
    ]
    cell = parse_cell(st.query_params.get("lab_cell", ""), _MATRICES)
    show_matrices(matrices, None, cell, key=f"lab-matrices-{bench.id}", on_pick=_pick_cell, say=say)
    truth = bench.pictures.truth
    rarest = min(int(images) for images in np.bincount(truth) if images)
    images = say("lab_images", part=say.part(bench.part), images=len(truth), rarest=rarest)
    st.caption(f"{images} {say('lab_note')}")


def _pick_cell(cell: MatrixCell) -> None:
    if st.query_params.get("lab_cell") == str(cell):  # a second click closes the cell
        st.query_params.pop("lab_cell")
    else:
        st.query_params["lab_cell"] = str(cell)


def _show_cell(dataset: Dataset, bench: _Bench, decision: Decision, say: Say) -> None:
    """Show the pictures behind the picked cell."""
    cell = parse_cell(st.query_params.get("lab_cell", ""), _MATRICES)
    if cell is None:
        return
    grades = decide_grades(decision if cell.matrix == "here" else bench.stored, bench.pictures)
    ids = bench.pictures.images[(bench.pictures.truth == cell.truth) & (grades == cell.predicted)]
    names = {end: grade_name(getattr(cell, end), say.language) for end in ("truth", "predicted")}
    matrix = say("lab_here") if cell.matrix == "here" else say("lab_current")
    st.markdown(say("lab_cell", matrix=matrix, count=len(ids), **names))
    if len(ids) > _MOST_PICTURES:
        st.caption(say("compare_first", count=_MOST_PICTURES))
    first_ids = [str(image_id) for image_id in ids[:_MOST_PICTURES] if dataset.row(str(image_id)) >= 0]
    regions = dataset.column("region").iloc[[dataset.row(image_id) for image_id in first_ids]]
    captions = [say.of(REGIONS[region]) if region in REGIONS else "" for region in regions]
    picked = show_thumbnail_grid(dataset, first_ids, captions, key="lab-cell")
    if picked:
        address = link_params() | {"data": dataset.name, "source": "example", "image": picked}
        st.switch_page("pages/3_Diagnose.py", query_params=address)


def _show_figures(bench: _Bench, decision: Decision, say: Say) -> None:
    """Show every metric that follows from counts, and the coverage and size of the grade sets."""
    decisions = {say("lab_here"): decision, say("lab_current"): bench.stored, say("lab_plain"): Decision()}
    table = pd.DataFrame({name: _figures(bench, tried, say) for name, tried in decisions.items()})
    numbers = {name: st.column_config.NumberColumn(format="%.3f") for name in table}
    numbers[say("lab_plain")]["help"] = say("lab_plain_help")
    table.index.name = say("compare_metrics")
    numbers[table.index.name] = st.column_config.Column(width=130)  # “90 % coverage” has to fit
    st.dataframe(table, column_config=numbers, height="content", placeholder="–", alt=say("compare_metrics"))


def _figures(bench: _Bench, decision: Decision, say: Say) -> dict[str, float]:
    counts, sets = bench.counts(decision), evaluate_sets(decision, bench.pictures)
    figures = {
        _with_arrow(say.of(metric.short), metric.higher_is_better): float(metric.compute(counts))
        for metric in METRICS.values()
        if metric.compute
    }
    return figures | {say("lab_coverage", coverage=f"{COVERAGE:.0%}"): sets.coverage, say("lab_size"): sets.size}


def _show_referral(bench: _Bench, decision: Decision, say: Say) -> None:
    """Say what the decision leaves to a person on this split, and which far errors stay unseen."""
    if decision.far_limit is None:
        return
    quality = evaluate_referral(decision, bench.pictures)
    referred, unseen, far = map("{:.1%}".format, (quality.referred_share, quality.unseen_share, quality.far_share))
    st.markdown(say("lab_referral", referred=referred, unseen=unseen, far=far))


def _with_arrow(name: str, higher_is_better: bool) -> str:
    return f"{name} {'↑' if higher_is_better else '↓'}"


def _show_curves(bench: _Bench, decision: Decision, say: Say) -> None:
    """Show what other strengths would bring with the chosen rule."""
    marked = {"here": decision, "stored": bench.stored} | ({"optimum": bench.optimum} if bench.optimum else {})
    marks = [{"mark": mark, "tau": point.tau} | _curve_figures(bench, point) for mark, point in marked.items()]
    chart = decision_chart(
        tau_curves(decision, bench.pictures), pd.DataFrame(marks), bench.run.operating_point.recall_floor, say.language
    )
    st.altair_chart(chart, key="lab-curves", alt=say("lab_curves_alt"))
    st.caption(say("lab_curves"))


def _curve_figures(bench: _Bench, decision: Decision) -> dict[str, float]:
    figures = vars(metrics.measure(bench.counts(decision)))
    return {name: figures[name] for name in METRIC_NAMES}


# ---- saving ----


def _offer_saving(bench: _Bench, decision: Decision, say: Say) -> None:
    if isinstance(bench.run, ExternalRun):
        st.caption(say("lab_external"))
        return
    st.subheader(say("lab_save"))
    name = say.of(bench.condition.text)
    st.caption(say("lab_saves", run=code(bench.run.id), condition=name, way=decision_words(decision, say)))
    st.caption(say("lab_answers", condition=name) if _is_champion(bench) else say("lab_waits", condition=name))
    same = decision.way == bench.stored.way
    if same:
        st.caption(say("lab_same"))
    why = say.text("lab_why_default", condition=name, way=decision_words(decision, say))
    with st.form(f"lab-save-{bench.id}", border=False):
        left, right = st.columns([1, 2])
        who = left.text_input(say("point_author"), st.session_state.get("lab_who", ""), MAX_WHO, key="lab-who")
        made = bench.run.operating_point.made  # what is saved next has a reason of its own
        typed = right.text_input(say("point_occasion"), "", MAX_WHY, placeholder=why, key=f"lab-why-{made}")
        pressed = change_form_button(say("lab_save_button"), say, icon=":material/save:", disabled=same)
    if not pressed or same:
        return
    _save(bench, decision, who or "", typed or why)
    st.session_state["lab_who"] = who
    toast_after_rerun(say("lab_saved", condition=name))
    st.rerun()


def _is_champion(bench: _Bench) -> bool:
    """Return whether pictures are graded by this run for this condition."""
    champion = champions().get(bench.condition)
    return champion is not None and champion.run.id == bench.run.id  # the run may be judged on other pictures here


def _save(bench: _Bench, decision: Decision, who: str, why: str) -> None:
    bench.run.verify()  # the sets were measured on what its files say
    with logged_elections():
        bench.run.change_operating_point(lambda point: with_decision(point, bench.condition, decision, who, why))
