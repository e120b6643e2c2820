"""The interface as a Postman collection (format 2.1), made of its OpenAPI description."""

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from scalp_core.inference.predict import INTENDED_USE
from scalp_core.rest.examples import error_body, status

COLLECTION, PICTURE = "scalp_lab.postman_collection.json", "synthetic_scalp.jpg"  # side by side in a folder
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_BASE = "http://localhost:8501"
_NO_PICTURE = COLLECTION  # a file that is none

# A request a code: the address, what its form holds, and its query.
_REFUSED: tuple[tuple[str, str, Mapping[str, str], Mapping[str, str]], ...] = (
    ("missing_field", "/predict", {"value_num": "4"}, {}),
    ("bad_value_num", "/predict", {"image": PICTURE, "value_num": "7"}, {}),
    ("bad_threshold", "/api/predict_all", {"image": PICTURE, "threshold": "4"}, {}),
    ("no_run", "/api/predict_all", {"image": PICTURE}, {"run": "clinic-resnet18"}),
    ("not_a_picture", "/api/predict_all", {"image": _NO_PICTURE}, {}),
)

# Of every answer; counters for Prometheus are the one that is no JSON.
_EVERY_ANSWER = f"""
pm.test("has the id of the request", () => pm.response.to.have.header("X-Request-ID"));
if ((pm.response.headers.get("Content-Type") || "").startsWith("application/json")) {{
  pm.test("says that it is for research only", () =>
    pm.expect(pm.response.json().intended_use).to.equal("{INTENDED_USE}"));
}}
"""


def collection(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the collection of an OpenAPI description: a folder a tag, and one of requests that are refused."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            folders.setdefault(operation["tags"][0], []).append(_request(path, method, operation))
    folders["refused"] = [_refused(*refused) for refused in _REFUSED]
    return {
        "info": {
            "name": description["info"]["title"],
            "description": description["info"]["description"],
            "schema": _SCHEMA,
        },
        "variable": [{"key": "base", "value": _BASE}, {"key": "token", "value": ""}],
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "event": [_test(_EVERY_ANSWER)],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _request(path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    answer = operation["responses"]["200"]["content"]
    example = answer.get("application/json", {}).get("example", {})
    query = [parameter for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
    return {
        "name": operation["summary"],
        "request": {
            "method": method.upper(),
            "description": operation["description"],
            "url": _url(path, [_disabled(parameter["name"], "", parameter["description"]) for parameter in query]),
            **_body(_fields(operation)),
        },
        "event": [_test(_answered(200, example))],
        "response": list(_responses(operation["responses"], example)),
    }


def _fields(operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of the form of an operation, if it has one; those that are optional are there, switched off."""
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
    fields = []
    for name, field in form.get("properties", {}).items():
        if name not in form["required"]:
            fields.append(_disabled(name, field["examples"][0], field["description"]) | {"type": "text"})
        elif name == "image":
            fields += [_file(PICTURE, field["description"])] * (2 if field["type"] == "array" else 1)
        else:
            fields.append(_text(name, field["examples"][0], field["description"]))
    return fields


def _refused(code: str, path: str, form: Mapping[str, str], query: Mapping[str, str]) -> dict[str, Any]:
    fields = [_file(value) if name == "image" else _text(name, value) for name, value in form.items()]
    expected = f"""
pm.test("says why", () => pm.expect(pm.response.json().error.code).to.equal("{code}"));
"""
    return {
        "name": code,
        "request": {
            "method": "POST",
            "description": error_body(code)["error"]["message"],
            "url": _url(path, [{"key": key, "value": value} for key, value in query.items()]),
            **_body(fields),
        },
        "event": [_test(_answered(status(code), error_body(code)) + expected)],
        "response": [],
    }


def _answered(expected: int, example: Mapping[str, Any]) -> str:
    """Return the script that looks at the status of an answer, and for the fields of the example."""
    script = f'\npm.test("has status {expected}", () => pm.response.to.have.status({expected}));\n'
    if example:
        names = json.dumps(list(example))
        script += f'pm.test("has its fields", () => pm.expect(pm.response.json()).to.include.all.keys({names}));\n'
    return script


def _responses(responses: Mapping[str, Any], example: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield the examples of answers: the one that is no error, and one a code."""
    if example:
        yield _response(200, HTTPStatus(200).phrase, example)
    for answered, response in responses.items():
        for code, error in response["content"].get("application/json", {}).get("examples", {}).items():
            yield _response(int(answered), code, error["value"])


def _response(answered: int, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "status": HTTPStatus(answered).phrase,
        "code": answered,
        "header": [{"key": "Content-Type", "value": "application/json"}],
        "_postman_previewlanguage": "json",
        "body": json.dumps(body, ensure_ascii=False, indent=1),
    }


def _url(path: str, query: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    query_string = "&".join(f"{each['key']}={each['value']}" for each in query if not each.get("disabled"))
    url: dict[str, Any] = {
        "raw": f"{{{{base}}}}{path}{'?' if query_string else ''}{query_string}",
        "host": ["{{base}}"],
    }
    url["path"] = path.strip("/").split("/")
    return url | ({"query": list(query)} if query else {})


def _body(fields: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"body": {"mode": "formdata", "formdata": list(fields)}} if fields else {}


def _file(source: str, description: str = "") -> dict[str, Any]:
    return {"key": "image", "type": "file", "src": source} | ({"description": description} if description else {})


def _text(name: str, value: str, description: str = "") -> dict[str, Any]:
    return {"key": name, "type": "text", "value": value} | ({"description": description} if description else {})


def _disabled(name: str, value: str, description: str) -> dict[str, Any]:
    return {"key": name, "value": value, "description": description, "disabled": True}


def _test(script: str) -> dict[str, Any]:
    return {"listen": "test", "script": {"type": "text/javascript", "exec": script.strip().splitlines()}}
