"""Whether the page says what REST would say, and the export what torch said: the check behind the page's badge.

Knows no page. REST is asked as a client asks it, through the whole application, but in this process.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import httpx2
from fastapi import FastAPI

from scalp_core.errors import ScalpError
from scalp_core.inference.predict import Answer
from scalp_core.labels import CONDITIONS
from scalp_core.rest import app
from scalp_core.rest.schemas import predict_all_response
from scalp_core.runs.champions import champions

SAME_RUNTIME = 1e-6  # largest difference of a probability that is none
OTHER_RUNTIME = 1e-4


class Parity(NamedTuple):
    """How far the same picture's answers lie apart.

    Attributes:
        rest: largest difference of a probability between the page and REST.
        torch: likewise between the export that answers and torch, as it was measured when the export was made; None
            where that was not written down, or another precision answers.
        same: all else in REST's answer is the same: grades, grade sets, runs, operating points, scalp type, the gate.
    """

    rest: float
    torch: float | None
    same: bool

    @property
    def holds(self) -> bool:
        """Nobody would ever notice a difference."""
        return self.same and self.rest <= SAME_RUNTIME and (self.torch or 0.0) <= OTHER_RUNTIME


def check(data: bytes, answer: Answer) -> Parity:
    """Ask REST about the same picture and compare. Takes as long as grading does.

    Not from within a running event loop.

    Args:
        data: what `answer` was made of, for all conditions that somebody answers for.

    Raises:
        ScalpError: REST refuses it, in REST's words; or others have been promoted since.
    """
    said = asyncio.run(_said(data, _query(answer)))
    mine = predict_all_response(answer).model_dump(mode="json", exclude_unset=True)
    differences = [abs(one - other) for one, other in zip(_probabilities(mine), _probabilities(said), strict=True)]
    return Parity(max(differences), _torch(answer), _rest_of(mine) == _rest_of(said))


def _query(answer: Answer) -> dict[str, str]:
    """What REST has to be asked for this answer."""
    query = {"threshold": str(int(answer.scalp_type.threshold))}
    answered = {condition: grading.run for condition, grading in answer.gradings.items()}
    if answered == {condition: champion.run for condition, champion in champions().items()}:
        return query
    runs = set(answered.values())
    if len(runs) > 1:
        raise ScalpError(
            "others_answer",
            "Other runs answer now than when this picture was graded. Grade it again.",
            "이 사진의 등급을 추정한 뒤 응답하는 실행이 바뀌었어요. 다시 추정하세요.",
        )
    return query | {"run": runs.pop().id}


async def _said(data: bytes, query: dict[str, str]) -> dict[str, Any]:
    transport = httpx2.ASGITransport(_application())
    async with httpx2.AsyncClient(transport=transport, base_url="http://page") as client:
        response = await client.post("/api/predict_all", params=query, files={"image": ("picture", data)})
    body: dict[str, Any] = response.json()
    if response.status_code != httpx2.codes.OK:
        error = body["error"]
        raise ScalpError(error["code"], error["message"], error["message_ko"])
    return body


@lru_cache(maxsize=1)
def _application() -> FastAPI:
    """One of our own: what is asked here must not count among what clients ask."""
    return app.application()


def _torch(answer: Answer) -> float | None:
    """The largest of the runs that answer."""
    runs = {grading.run for grading in answer.gradings.values()}
    measured = [None if run.serving.int8 else run.export_difference for run in runs]
    known = [difference for difference in measured if difference is not None]
    return max(known) if len(known) == len(measured) else None


def _probabilities(said: Mapping[str, Any]) -> list[float]:
    return [share for key in CONDITIONS if key in said for share in said[key][0]["probabilities"]]


def _rest_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """All but the probabilities."""
    rest = dict(said)
    for key in CONDITIONS:
        if key in rest:
            rest[key] = {name: value for name, value in rest[key][0].items() if name != "probabilities"}
    return rest
