"""Explore the pictures and their labels."""

import math

import pandas as pd
import streamlit as st

from scalp_core import images
from scalp_core.charts import counts_chart, grade_name
from scalp_core.dataset import PARTS, Dataset, grade_counts, labels_of
from scalp_core.labels import CONDITIONS, GRADES, REGIONS
from ui.choices import carried, choose_condition, choose_dataset, choose_page, choose_some
from ui.gallery import gallery
from ui.shell import show
from ui.words import Say

PER_PAGE = 24


def explore(say: Say) -> None:
    dataset = choose_dataset(say)
    if dataset is None:
        return
    _size(say, dataset)
    _counts(say, dataset)
    st.subheader(say("dataset_pictures"))
    shown = _filtered(say, dataset)
    _wall(say, dataset, shown)
    _picture(say, dataset)


def _size(say: Say, dataset: Dataset) -> None:
    index = dataset.index
    sizes = {"images": len(index), "captures": index["capture"].nunique(), "sites": index["site"].nunique()}
    st.markdown(say("dataset_size", **sizes))


def _counts(say: Say, dataset: Dataset) -> None:
    st.subheader(say("dataset_counts"))
    counted = grade_counts(dataset.index)
    st.altair_chart(counts_chart(counted, say.language), alt=say("dataset_counts"))
    with st.expander(say("dataset_table")):
        st.dataframe(_count_table(say, counted), alt=say("dataset_counts"))


def _count_table(say: Say, counted: pd.DataFrame) -> pd.DataFrame:
    table = counted.pivot_table(index=["condition", "grade"], columns="part", values="images", aggfunc="sum")
    table = table[list(PARTS)].rename(columns=say.part)
    table.index = pd.MultiIndex.from_tuples(
        [(say.of(condition.text), grade_name(grade, say.language)) for condition in CONDITIONS for grade in GRADES],
        names=[say("condition"), say("grade")],
    )
    return table


def _filtered(say: Say, dataset: Dataset) -> pd.DataFrame:
    condition = choose_condition(say)
    grades = {str(int(grade)): grade_name(grade, say.language) for grade in GRADES}
    chosen_grades = choose_some(say("grade"), grades, "grades", say.language)
    chosen_parts = choose_some(say("part"), {part: say.part(part) for part in PARTS}, "parts", say.language)
    regions = {key: say.of(text) for key, text in REGIONS.items()}
    chosen_regions = choose_some(say("region"), regions, "regions", say.language)
    index = dataset.index
    if chosen_grades:
        index = index[index[condition.value].isin([int(grade) for grade in chosen_grades])]
    if chosen_parts:
        index = index[index["part"].isin(chosen_parts)]
    if chosen_regions:
        index = index[index["region"].isin(chosen_regions)]
    return index.assign(shown_grade=index[condition.value])


def _wall(say: Say, dataset: Dataset, shown: pd.DataFrame) -> None:
    if shown.empty:
        st.info(say("dataset_none"))
        return
    st.caption(say("dataset_shown", count=len(shown)))
    pages = math.ceil(len(shown) / PER_PAGE)
    page = choose_page(pages, f"{dataset.name}-{pd.util.hash_pandas_object(shown['id'], index=False).sum()}")
    rows = shown.iloc[(page - 1) * PER_PAGE : page * PER_PAGE]
    captions = [
        say("unlabelled") if pd.isna(grade) else grade_name(grade, say.language) for grade in rows["shown_grade"]
    ]
    picked = gallery(dataset, list(rows["id"]), captions, key="wall", chosen=st.query_params.get("image"))
    if picked:
        st.query_params["image"] = picked
        st.rerun()  # the wall is drawn already, with the one chosen before marked


def _picture(say: Say, dataset: Dataset) -> None:
    image_id = st.query_params.get("image")
    if image_id is None:
        st.caption(say("dataset_pick"))
        return
    picture = images.decode(dataset.image_path(image_id).read_bytes())
    row = dataset.index.loc[image_id]
    st.subheader(say("picture"))
    left, right = st.columns([3, 2])
    left.image(picture.pixels, width="stretch", alt=image_id)
    left.code(image_id, language=None)
    with right:
        labels = labels_of(row)
        st.table(
            pd.DataFrame(
                {
                    say("condition"): [say.of(condition.text) for condition in labels],
                    say("label"): [
                        say("unlabelled") if grade is None else grade_name(grade, say.language)
                        for grade in labels.values()
                    ],
                }
            ).set_index(say("condition"))
        )
        region = say.of(REGIONS[row["region"]]) if row["region"] in REGIONS else row["region"]
        for key, value in (
            ("region", region),
            ("part", say.part(row["part"])),
            ("site", row["site"]),
            ("device", row["device"]),
        ):
            st.text(f"{say(key)}: {value}")
        st.page_link(
            "pages/3_Diagnose.py",
            label=say("grade_this"),
            icon=":material/biotech:",
            query_params=carried() | {"source": "example", "image": image_id},
        )
    _same_capture(say, dataset, row)


def _same_capture(say: Say, dataset: Dataset, row: pd.Series) -> None:
    others = dataset.index[(dataset.index["capture"] == row["capture"]) & (dataset.index["id"] != row["id"])]
    if others.empty:
        return
    st.caption(say("same_capture"))
    names = [say.of(REGIONS[region]) if region in REGIONS else region for region in others["region"]]
    picked = gallery(dataset, list(others["id"]), names, key="capture")
    if picked:
        st.query_params["image"] = picked
        st.rerun()


show("dataset", explore)
