"""Imports of pictures from a folder of the server: the form, imports under way, and the report of an import."""

from pathlib import Path

import pandas as pd
import streamlit as st

from scalp_core.access import access
from scalp_core.data.background_jobs import JobState
from scalp_core.data.dataset import Dataset, list_datasets
from scalp_core.data.relocation import relocate
from scalp_core.data.splits import OFFICIAL_RULES, SPLIT_METHODS
from scalp_core.errors import ScalpError
from scalp_core.importing import background
from scalp_core.importing.background import STAGES, ImportTask
from scalp_core.importing.importer import (
    FAULT_LIST,
    FAULTS,
    KEPT,
    KINDS,
    WARNINGS,
    ImportRequest,
    read_fault_list,
    read_report,
)
from ui.access import change_button, change_form_button
from ui.choices import turn_to_dataset
from ui.downloads import offer_file, show_table
from ui.feedback import errors
from ui.markdown import Markdown, literal
from ui.runs.progress import POLL_SECONDS, time_left_words
from ui.words import Say

_AUTOMATIC = ""


def show_imports(dataset: Dataset | None, say: Say) -> None:
    """Show imports under way, how the chosen dataset was made, and the form for the next import."""
    if not access().read_only:
        background.resume_imports()  # a killed import goes on with the next look at this page
    _show_under_way(say)
    if dataset is not None:
        if dataset.is_away:
            _show_moved(dataset, say)
        _show_split(dataset, say)
        with errors(say):  # a damaged report leaves the rest of the page
            _show_report(dataset, say)
    _show_form(say)


# ---- under way ----

_STARTED = "import_started"  # name of the dataset that this session has asked for, until it is there


def turn_to_imported() -> None:
    """Turn the page to a dataset that was imported from here, once it is there; before datasets are offered."""
    name = st.session_state.get(_STARTED)
    if not name or any(task.name == name for task in background.list_imports()):
        return
    del st.session_state[_STARTED]
    if name in [dataset.name for dataset in list_datasets()]:
        turn_to_dataset(name)


def _show_under_way(say: Say) -> None:
    active = any(task.state.error is None for task in background.list_imports())

    # Polls only while something is imported.
    @st.fragment(run_every=POLL_SECONDS if active else None, key="imports")
    def status() -> None:
        tasks = background.list_imports()
        if active and all(task.state.error is not None for task in tasks):
            st.rerun()  # the whole page once: the new dataset belongs in its lists
        for task in tasks:
            _show_task(task, say)

    status()


def _show_task(task: ImportTask, say: Say) -> None:
    state = task.state
    with st.container(border=True):
        st.markdown(f"**{literal(task.name)}**")
        st.text(task.request.source)
        if state.error is None:
            st.progress(state.done / state.total if state.total else 0.0, text=_stage_words(state, say))
        else:
            st.error(say.plain(state.error), icon=":material/error:")
        label = say("import_stop") if state.error is None else say("import_dismiss")
        if change_button(label, say, key=f"import-stop-{task.name}", icon=":material/close:"):
            background.dismiss_import(task.name)
            st.rerun()


def _stage_words(state: JobState, say: Say) -> Markdown:
    if state.stage not in STAGES:
        return say("phase_starting")
    words = Markdown(f"{say.plain(STAGES[state.stage])} · {state.done:,} / {state.total:,}")
    if state.seconds_left is None:
        return words
    return Markdown(f"{words} · {time_left_words(state.seconds_left, say)}")


# ---- a folder that has moved ----


def _show_moved(dataset: Dataset, say: Say) -> None:
    st.error(say("moved", folder=dataset.source), icon=":material/drive_file_move:")
    if background.allowed_folder() is None:
        st.code(f"python -m training.prepare relocate {dataset.name} FOLDER", language=None)
        return
    with st.form("moved", border=True):
        folder = st.text_input(say("moved_to"), key="moved_to", help=say("import_source_help"))
        if change_form_button(say("moved_apply"), say, icon=":material/drive_file_move:", type="primary"):
            try:
                background.check_allowed(folder.strip())
                relocate(dataset, Path(folder.strip()))
            except ScalpError as error:
                st.error(say.plain(error.text), icon=":material/error:")
            else:
                st.rerun()


# ---- how a dataset was made ----


def _show_split(dataset: Dataset, say: Say) -> None:
    way = str(dataset.parts.get("by", ""))
    if way not in SPLIT_METHODS:
        return
    st.subheader(say("split_how"))
    st.markdown(f"{say.plain(SPLIT_METHODS[way])} · {say('seed')} {literal(dataset.parts.get('seed'))}")
    if (rule := str(dataset.parts.get("rule", ""))) in OFFICIAL_RULES:
        st.caption(say.plain(OFFICIAL_RULES[rule]))
    for warning in ("marked_test", "learn_from_test"):
        if dataset.parts.get(warning):
            st.warning(say.plain(WARNINGS[warning]), icon=":material/warning:")
    st.caption(say("split_anew"))
    st.code(f"python -m training.prepare split {dataset.name} --by site --seed 0", language=None)


def _show_report(dataset: Dataset, say: Say) -> None:
    report = read_report(dataset)
    if report is None:
        return
    st.subheader(say("import_report"))
    st.text(report["source"])
    facts = {key: report[key] for key in ("images", "files", "labels", "seconds")}
    st.markdown(say("import_facts", created=report["created"], **facts))
    if changes := report.get("splits"):
        st.markdown(literal(say.of(KEPT).format(**changes)))
    for warning in report["warnings"]:
        if warning in ("marked_test", "learn_from_test"):
            continue  # a matter of the split, which may have changed since
        st.warning(say.plain(WARNINGS[warning]), icon=":material/warning:")
    if not report["counts"]:
        st.success(say("import_faultless"), icon=":material/check_circle:")
        return
    for kind, count in report["counts"].items():
        with st.expander(f"{say.plain(FAULTS[kind])}: **{count:,}**"):
            listed = pd.DataFrame(report["faults"][kind], columns=["name", "where", "detail"])
            heads = {"name": say("fault_name"), "where": say("fault_where"), "detail": say("fault_detail")}
            show_table(listed, heads, say.of(FAULTS[kind]))
    offer_file(
        say("import_faults"),
        lambda: read_fault_list(dataset),
        f"{dataset.name}-{FAULT_LIST}",
        "text/csv",
    )


# ---- the form ----


def _show_form(say: Say) -> None:
    st.subheader(say("import_new"))
    allowed = background.allowed_folder()
    if allowed is None:
        st.info(say("import_not_here"), icon=":material/terminal:")
        st.code("python -m training.prepare aihub FOLDER --name NAME", language=None)
        return
    st.markdown(say("import_note", folder=allowed))
    kinds = {kind: say(f"import_kind_{kind}") for kind in KINDS}
    kind = st.radio(say("import_kind"), list(kinds), format_func=lambda kind: literal(kinds[kind]), key="import_kind")
    with st.form("import", border=True):
        source = st.text_input(say("import_source"), key="import_source", help=say("import_source_help"))
        table = columns = ""
        if kind == "csv":
            table = st.text_input(say("import_table"), key="import_table")
            columns = st.text_area(say("import_columns"), key="import_columns", help=say("import_columns_help"))
        name = st.text_input(say("import_name"), key="import_name", max_chars=64)
        ways = {_AUTOMATIC: say("import_automatic")} | {way: say.of(text) for way, text in SPLIT_METHODS.items()}
        by = st.selectbox(say("import_by"), list(ways), format_func=ways.get, key="import_by")
        extract = st.checkbox(say("import_extract"), key="import_extract")
        if change_form_button(say("import_start"), say, icon=":material/download:", type="primary"):
            request = ImportRequest(kind, source.strip(), table.strip(), _mapping(columns), by, extract=extract)
            _start(request, name.strip(), say)


def _mapping(lines: str) -> dict[str, str]:
    """Parse lines of `field = column`."""
    pairs = (line.partition("=") for line in lines.splitlines() if line.strip())
    return {field.strip(): column.strip() for field, _, column in pairs}


def _start(request: ImportRequest, name: str, say: Say) -> None:
    paths = (request.source, request.table) if request.kind == "csv" else (request.source,)
    if not all(Path(path).is_absolute() for path in paths):
        st.error(say("import_whole_path"), icon=":material/error:")  # a relative path would lead into our own folder
        return
    try:
        background.start_import(request, name)
    except ScalpError as error:
        st.error(say.plain(error.text), icon=":material/error:")
        return
    st.session_state[_STARTED] = name
    st.toast(say("import_started", name=name), icon=":material/check:")
    st.rerun()  # so that its progress is polled
