"""Names of index columns and of their values, in the reader's language. Knows no widget."""

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.aihub import META_ANSWERS, META_FIELDS
from scalp_core.data.dataset import LABEL_COLUMNS
from scalp_core.data.filters import NONE
from scalp_core.errors import Text
from scalp_core.labels import META, REGIONS, Condition
from ui.words import Say


def field_name(column: str, say: Say) -> str:
    """What a column is called: a condition, a fact of the label files, or one of ours."""
    if column in LABEL_COLUMNS:
        return say.of(Condition(column).text)
    if column.startswith(META):
        known = META_FIELDS.get(column.removeprefix(META))
        return say.of(known) if known else column.removeprefix(META)
    return say(f"field_{column}")


def field_label(column: str, say: Say) -> str:
    """The same over a widget, where a heading of somebody's table would otherwise be read as markup."""
    name = field_name(column, say)
    return say.plain(Text(name, name))


def value_name(column: str, value: str, say: Say) -> str:
    """What a value of a column is called; values from somebody's files that are not known are shown as they are."""
    if value == NONE:
        return say("unlabelled" if column in LABEL_COLUMNS else "unknown")
    if column in LABEL_COLUMNS:
        return grade_name(int(value), say.language)
    if column == "part":
        return say.part(value)
    if column == "region" and value in REGIONS:
        return say.of(REGIONS[value])
    if column == "official" and value in ("train", "valid", "both"):
        return say(f"official_{value}")
    if column.startswith(META) and value in META_ANSWERS:
        return say.of(META_ANSWERS[value])
    return value or say("unknown")
