"""Renaming and deleting a run: what hangs on it, in words."""

from scalp_core.runs.removal import consequences, delete_run, rename_run
from scalp_core.runs.run import Run
from ui.choices import write_address
from ui.markdown import Markdown
from ui.removal import Managed, offer_management, size_words, with_losses
from ui.runs.run_list import turn_to_run
from ui.words import Say


def offer_run_management(run: Run, say: Say) -> None:
    """Offer a popover in which the run is renamed or deleted."""

    def rename(name: str) -> Markdown:
        renamed = rename_run(run, name)
        turn_to_run(renamed.id)
        return say("manage_renamed", before=run.id, after=renamed.id)

    def delete() -> Markdown:
        size = size_words(consequences(run).size)
        delete_run(run)
        write_address({"run": None})
        return say("manage_deleted", run=run.id, size=size)

    managed = Managed(run.id, run.id, say("manage_name_help"), (), rename, lambda: _question(run, say), delete)
    offer_management(managed, say)


def _question(run: Run, say: Say) -> Markdown:
    """Return the question, with what hangs on the run in a line each."""
    hanging = consequences(run)
    lines = []
    if hanging.answers:
        conditions = ", ".join(say.of(condition.text) for condition in hanging.answers)
        lines.append(say("manage_answers", conditions=conditions))
    if hanging.children:
        lines.append(say("manage_children", runs=", ".join(child.id for child in hanging.children)))
    return with_losses(say("manage_question", run=run.id, size=size_words(hanging.size)), lines)
