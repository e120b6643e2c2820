"""Importing somebody's pictures from a folder of the server: a form, what is being imported, and what came of it."""

from pathlib import Path

import pandas as pd
import streamlit as st

from scalp_core.data.dataset import Dataset
from scalp_core.data.splits import SPLIT_METHODS
from scalp_core.errors import ScalpError
from scalp_core.importing import background
from scalp_core.importing.background import STAGES, ImportTask
from scalp_core.importing.importer import FAULT_LIST, FAULTS, KINDS, WARNINGS, ImportRequest, read_report
from ui.runs.progress import POLL_SECONDS
from ui.words import Say

_AUTOMATIC = ""


def show_imports(dataset: Dataset | None, say: Say) -> None:
    """What the chosen data set was made of, then the form for the next one."""
    background.resume_imports()  # a killed import goes on with the next look at this page
    _under_way(say)
    if dataset is not None:
        _split(dataset, say)
        _report(dataset, say)
    _form(say)


# ---- under way ----


def _under_way(say: Say) -> None:
    active = [one.name for one in background.list_imports() if one.error is None]

    # Polls only while something is imported.
    @st.fragment(run_every=POLL_SECONDS if active else None, key="imports")
    def status() -> None:
        found = background.list_imports()
        if active and not [one for one in found if one.error is None]:
            st.rerun()  # the whole page once: what is new belongs in its lists
        for one in found:
            _show(one, say)

    status()


def _show(one: ImportTask, say: Say) -> None:
    with st.container(border=True):
        st.markdown(f"**{one.name}**")
        st.text(one.request.source)
        if one.error is None:
            st.progress(one.done / one.total if one.total else 0.0, text=_words(one, say))
        else:
            st.error(say.plain(one.error), icon=":material/error:")
        label = say("import_stop") if one.error is None else say("import_dismiss")
        if st.button(label, key=f"import-stop-{one.name}", icon=":material/close:"):
            background.dismiss_import(one.name)
            st.rerun()


def _words(one: ImportTask, say: Say) -> str:
    if one.stage not in STAGES:
        return say("phase_starting")
    words = f"{say.of(STAGES[one.stage])} · {one.done:,} / {one.total:,}"
    if one.seconds_left is None:
        return words
    minutes, seconds = divmod(round(one.seconds_left), 60)
    return f"{words} · {say('time_left', minutes=minutes, seconds=seconds)}"


# ---- what came of it ----


def _split(dataset: Dataset, say: Say) -> None:
    way = str(dataset.parts.get("by", ""))
    if way not in SPLIT_METHODS:
        return
    st.subheader(say("split_how"))
    st.markdown(f"{say.of(SPLIT_METHODS[way])} · {say('seed')} {dataset.parts.get('seed')}")
    st.caption(say("split_anew"))
    st.code(f"python -m training.prepare split {dataset.name} --by site --seed 0", language="bash")


def _report(dataset: Dataset, say: Say) -> None:
    report = read_report(dataset)
    if report is None:
        return
    st.subheader(say("import_report"))
    st.text(report["source"])
    facts = {key: report[key] for key in ("images", "files", "labels", "seconds")}
    st.markdown(say("import_facts", created=report["created"], **facts))
    for warning in report["warnings"]:
        st.warning(say.of(WARNINGS[warning]), icon=":material/warning:")
    if not report["counts"]:
        st.success(say("import_faultless"), icon=":material/check_circle:")
        return
    for kind, count in report["counts"].items():
        with st.expander(f"{say.of(FAULTS[kind])}: **{count:,}**"):
            listed = pd.DataFrame(report["faults"][kind], columns=["name", "where", "detail"])
            names = {"name": say("fault_name"), "where": say("fault_where"), "detail": say("fault_detail")}
            st.dataframe(listed.rename(columns=names), hide_index=True, alt=say.of(FAULTS[kind]))
    st.download_button(
        say("import_faults"),
        lambda: (dataset.folder / FAULT_LIST).read_bytes(),
        f"{dataset.name}-{FAULT_LIST}",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


# ---- the form ----


def _form(say: Say) -> None:
    st.subheader(say("import_new"))
    st.markdown(say("import_note", folder=background.allowed_folder()))
    kinds = {kind: say(f"import_kind_{kind}") for kind in KINDS}
    kind = st.radio(say("import_kind"), list(kinds), format_func=kinds.get, key="import_kind")
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
        if st.form_submit_button(say("import_start"), icon=":material/download:", type="primary"):
            mapping = [line.partition("=") for line in columns.splitlines() if line.strip()]
            given = {field.strip(): column.strip() for field, _, column in mapping}
            _start(ImportRequest(kind, source.strip(), table.strip(), given, by, extract=extract), name.strip(), say)


def _start(order: ImportRequest, name: str, say: Say) -> None:
    paths = (order.source, order.table) if order.kind == "csv" else (order.source,)
    if not all(Path(path).is_absolute() for path in paths):
        st.error(say("import_whole_path"), icon=":material/error:")  # a part of one would lead into our own folder
        return
    try:
        background.start_import(order, name)
    except ScalpError as error:
        st.error(say.plain(error.text), icon=":material/error:")
        return
    st.toast(say("import_started", name=name), icon=":material/check:")
    st.rerun()  # so that its progress is polled
