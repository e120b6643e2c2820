"""Compares a page's answer with REST's, and the export with torch: the check behind the page's badge.

REST is called as by a client, through the whole application, but in this process.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import httpx2
from fastapi import FastAPI

from scalp_core.access import Access
from scalp_core.errors import ScalpError
from scalp_core.inference.predict import Answer
from scalp_core.labels import CONDITIONS
from scalp_core.rest import app
from scalp_core.rest.schemas import predict_all_response
from scalp_core.runs.champions import champions

_HOST = "page"  # the name under which this process asks itself
SAME_RUNTIME = 1e-6  # largest difference of a probability that counts as none
OTHER_RUNTIME = 1e-4  # likewise between the export and torch


class Parity(NamedTuple):
    """Differences between answers about the same picture.

    Attributes:
        rest: largest difference of a probability between the page and REST.
        torch: likewise between the export that answers and torch, as it was measured when the export was made; None
            where that was not written down, or another precision answers.
        same: whether all else in REST's answer is the same: grades, grade sets, runs, operating points, scalp type,
            the gate.
    """

    rest: float
    torch: float | None
    same: bool

    @property
    def holds(self) -> bool:
        """Whether no difference could be noticed."""
        return self.same and self.rest <= SAME_RUNTIME and (self.torch or 0.0) <= OTHER_RUNTIME


def check(data: bytes, answer: Answer) -> Parity:
    """Ask REST about the same picture and compare. Takes as long as grading does.

    Not from within a running event loop.

    Args:
        data: the file that `answer` is about, for all conditions with an answering run.

    Raises:
        ScalpError: REST refuses it, in REST's words; or other runs have been promoted since.
    """
    rest = asyncio.run(_ask_rest(data, _query(answer)))
    page = predict_all_response(answer).model_dump(mode="json", exclude_unset=True)
    pairs = zip(_probabilities(page), _probabilities(rest), strict=True)
    largest = max(abs(on_page - in_rest) for on_page, in_rest in pairs)
    return Parity(largest, _torch_difference(answer), _without_probabilities(page) == _without_probabilities(rest))


def _query(answer: Answer) -> dict[str, str]:
    """Return the query with which REST gives this answer."""
    query = {"threshold": str(int(answer.scalp_type.threshold))}
    answered = {condition: grading.run for condition, grading in answer.gradings.items()}
    if answered == {condition: champion.run for condition, champion in champions().items()}:
        return query
    runs = set(answered.values())
    if len(runs) > 1:
        raise ScalpError(
            "others_answer",
            "The runs in use have changed since this picture was graded. Grade it again.",
            "이 사진의 등급을 추정한 뒤 사용하는 실행이 바뀌었어요. 다시 추정하세요.",
        )
    return query | {"run": runs.pop().id}


async def _ask_rest(data: bytes, query: dict[str, str]) -> dict[str, Any]:
    transport = httpx2.ASGITransport(_application())
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://{_HOST}") as client:
        response = await client.post("/api/predict_all", params=query, files={"image": ("picture", data)})
    body: dict[str, Any] = response.json()
    if response.status_code != httpx2.codes.OK:
        error = body["error"]
        raise ScalpError(error["code"], error["message"], error["message_ko"])
    return body


@lru_cache(maxsize=1)
def _application() -> FastAPI:
    """Return an application of our own: these requests must not count among those of clients."""
    return app.application(settings=lambda: Access(frozenset({_HOST})), base=lambda: "")


def _torch_difference(answer: Answer) -> float | None:
    """Return the largest difference of the runs that answer, None if it is missing for any."""
    runs = {grading.run for grading in answer.gradings.values()}
    differences = [None if run.serving.int8 else run.export_difference for run in runs]
    measured = [difference for difference in differences if difference is not None]
    return max(measured) if len(measured) == len(differences) else None


def _probabilities(body: Mapping[str, Any]) -> list[float]:
    return [share for key in CONDITIONS if key in body for share in body[key][0]["probabilities"]]


def _without_probabilities(body: Mapping[str, Any]) -> dict[str, Any]:
    others = dict(body)
    for key in CONDITIONS:
        if key in others:
            others[key] = {name: value for name, value in others[key][0].items() if name != "probabilities"}
    return others
