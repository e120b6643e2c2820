"""Names of index columns and of their values, in the reader's language."""

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.aihub import META_ANSWERS, META_FIELDS, official_parts
from scalp_core.data.dataset import LABEL_COLUMNS
from scalp_core.data.filters import NONE
from scalp_core.labels import META, Condition
from scalp_core.terms import REGIONS
from ui.markdown import Markdown, literal
from ui.words import Say


def field_name(column: str, say: Say) -> str:
    """Return the name of a column: a condition, a field of the label files, or one of our own."""
    if column in LABEL_COLUMNS:
        return say.of(Condition(column).text)
    if column.startswith(META):
        field = META_FIELDS.get(column.removeprefix(META))
        return say.of(field) if field else column.removeprefix(META)
    return say(f"field_{column}")


def field_label(column: str, say: Say) -> Markdown:
    """Return the name as a label of a widget; it may be a heading of an imported table."""
    return literal(field_name(column, say))


def value_name(column: str, value: str, say: Say) -> str:
    """Return the name of a value of a column; an unknown value of imported files stands for itself."""
    if value == NONE:
        return say("unlabelled" if column in LABEL_COLUMNS else "unknown")
    if column in LABEL_COLUMNS:
        return grade_name(int(value), say.language)
    if column == "part":
        return say.part(value)
    if column == "region" and value in REGIONS:
        return say.of(REGIONS[value])
    if column == "official" and official_parts(value):
        return ", ".join(say(f"official_{part}") for part in value.split())
    if column.startswith(META) and value in META_ANSWERS:
        return say.of(META_ANSWERS[value])
    return value or say("unknown")
