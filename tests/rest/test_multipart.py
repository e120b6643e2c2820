"""Spellings of one upload, as clients of all ages send it: a grade or a clear refusal, never an internal error."""

import base64
import itertools
import random
from collections.abc import Iterator

import pytest
from conftest import Trained
from fastapi.testclient import TestClient
from support.rest_client import assert_error_response

from scalp_core.rest import app

BOUNDARY = b"----edge7MA4"
FORM = f"multipart/form-data; boundary={BOUNDARY.decode()}"
DISPOSITION = b'Content-Disposition: form-data; name="image"; '
PLAIN = DISPOSITION + b'filename="a.jpg"'
TYPE = b"Content-Type: image/jpeg"
END = b"--" + BOUNDARY + b"--\r\n"
KOREAN = b"%EB%91%90%ED%94%BC.jpg"
LARGEST_PREAMBLE = 900  # bytes that surely fit


def part(content: bytes, *headers: bytes, line_end: bytes = b"\r\n") -> bytes:
    return line_end.join([b"--" + BOUNDARY, *headers, b"", content, b""])


def field(name: bytes, content: bytes, more: bytes = b"") -> bytes:
    return part(content, b'Content-Disposition: form-data; name="' + name + b'"' + more)


@pytest.fixture(scope="module")
def client(trained: Trained) -> Iterator[TestClient]:
    with TestClient(app.application(), raise_server_exceptions=False) as client:
        yield client


def accepted(picture: bytes) -> dict[str, tuple[bytes, str]]:
    """Bodies, each with its Content-Type, that all hold this picture."""
    plain = part(picture, PLAIN, TYPE)
    heads = {
        "no type of the part": (PLAIN,),
        "another type of the part": (PLAIN, b"Content-Type: application/octet-stream"),
        "type before disposition": (TYPE, PLAIN),
        "unquoted names": (b"Content-Disposition: form-data; name=image; filename=a.jpg", TYPE),
        "lower case": (PLAIN.replace(b"Content-Disposition", b"content-disposition"), TYPE),
        "extended name alone": (DISPOSITION + b"filename*=UTF-8''" + KOREAN, TYPE),
        "both names": (PLAIN + b"; filename*=UTF-8''" + KOREAN, TYPE),
        "encoded word": (DISPOSITION + b'filename="=?utf-8?B?65GQ7ZS8LmpwZw==?="', TYPE),
        "Korean in UTF-8": (DISPOSITION + 'filename="두피.jpg"'.encode(), TYPE),
        "Korean in cp949": (DISPOSITION + 'filename="두피.jpg"'.encode("cp949"), TYPE),
        "empty name": (DISPOSITION + b'filename=""', TYPE),
        "no name": (DISPOSITION.rstrip(b"; "), TYPE),
        "no name, no type": (DISPOSITION.rstrip(b"; "),),
        "path of Windows": (DISPOSITION + b'filename="C:\\Users\\a\\b.jpg"', TYPE),
        "semicolon in the name": (DISPOSITION + b'filename="a;b.jpg"', TYPE),
        "quote in the name": (DISPOSITION + b'filename="a\\"b.jpg"', TYPE),
        "binary encoding": (PLAIN, TYPE, b"Content-Transfer-Encoding: binary"),
        "length of the part": (PLAIN, TYPE, b"Content-Length: %d" % len(picture)),
    }
    bodies = {name: (part(picture, *head) + END, FORM) for name, head in heads.items()}
    bodies |= {
        "plain": (plain + END, FORM),
        "quoted boundary": (plain + END, f'multipart/form-data; boundary="{BOUNDARY.decode()}"'),
        "charset": (plain + END, FORM.replace(";", "; charset=utf-8;")),
        "capitals": (plain + END, FORM.replace("multipart/form-data; boundary", "Multipart/Form-Data; Boundary")),
        "no last line end": (plain + END.rstrip(), FORM),
        "preamble and epilogue": (b"This is a multi-part message.\r\n" + plain + END + b"The end.\r\n", FORM),
        "long preamble": (b"x" * LARGEST_PREAMBLE + b"\r\n" + plain + END, FORM),
        "empty line first": (b"\r\n" + plain + END, FORM),
        "four more fields": (plain + b"".join(field(b"f%d" % number, b"x") for number in range(4)) + END, FORM),
    }
    return bodies


def refused(picture: bytes) -> dict[str, tuple[bytes, str, int, str]]:
    """Bodies, each with its Content-Type, and the status and code of the refusal."""
    plain = part(picture, PLAIN, TYPE)
    encoded = base64.encodebytes(picture)
    five = b"".join(field(b"f%d" % number, b"x") for number in range(5))
    return {
        "no boundary named": (plain + END, "multipart/form-data", 400, "bad_form"),
        "empty boundary": (plain + END, 'multipart/form-data; boundary=""', 400, "bad_form"),
        "endless boundary": (plain + END, f"multipart/form-data; boundary={'x' * 9000}", 400, "bad_form"),
        "another boundary": (plain + END, "multipart/form-data; boundary=other", 400, "bad_form"),
        "no end": (plain, FORM, 400, "bad_form"),
        "cut in the picture": (plain[: len(plain) // 2], FORM, 400, "bad_form"),
        "cut in the head": (plain[:40], FORM, 400, "bad_form"),
        "nothing": (b"", FORM, 400, "bad_form"),
        "end alone": (END, FORM, 400, "missing_field"),
        "line feeds alone": (part(picture, PLAIN, TYPE, line_end=b"\n") + END, FORM, 400, "bad_form"),
        "endless preamble": (b"x" * 5000 + b"\r\n" + plain + END, FORM, 400, "bad_form"),
        "no name of the part": (part(picture, b"Content-Disposition: form-data", TYPE) + END, FORM, 400, "bad_form"),
        "no head of the part": (part(picture) + END, FORM, 400, "bad_form"),
        "two pictures": (plain * 2 + END, FORM, 400, "bad_form"),
        "two pictures, one without a name": (plain + field(b"image", picture) + END, FORM, 400, "bad_form"),
        "five more fields": (plain + five + END, FORM, 400, "bad_form"),
        "large field": (plain + field(b"f", b"x" * 2000) + END, FORM, 400, "bad_form"),
        "another field": (part(picture, PLAIN.replace(b"image", b"file"), TYPE) + END, FORM, 400, "missing_field"),
        "number as a file": (field(b"value_num", b"4", b'; filename="blob"') + plain + END, FORM, 400, "bad_form"),
        "another type": (plain + END, FORM.replace("form-data", "mixed"), 400, "missing_field"),
        "no type": (plain + END, "", 400, "missing_field"),
        "impossible charset": (plain + END, FORM.replace(";", "; charset=undefined;"), 400, "bad_form"),
        "base64": (part(encoded, PLAIN, b"Content-Transfer-Encoding: base64") + END, FORM, 415, "not_a_picture"),
        "data URL": (field(b"image", b"data:image/jpeg;base64," + encoded) + END, FORM, 415, "not_a_picture"),
        "text": (field(b"image", b"scalp.jpg") + END, FORM, 415, "not_a_picture"),
        "empty file": (part(b"", PLAIN, TYPE) + END, FORM, 415, "not_a_picture"),
        "no file selected": (part(b"", DISPOSITION + b'filename=""') + END, FORM, 400, "missing_field"),
    }


def test_every_spelling_is_graded_alike(client: TestClient, trained: Trained) -> None:
    answers = {}
    for name, (body, content_type) in accepted(trained.picture).items():
        answer = client.post("/predict_all", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == 200, (name, answer.text)
        answers[name] = answer.text
    assert len(set(answers.values())) == 1, answers


def test_what_is_no_form_is_refused(client: TestClient, trained: Trained) -> None:
    for name, (body, content_type, status, code) in refused(trained.picture).items():
        answer = client.post("/predict_all", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == status, (name, answer.text)
        assert_error_response(answer, status, code)


def test_a_body_may_come_in_any_pieces(client: TestClient, trained: Trained) -> None:
    """In crumbs too, where a boundary or the preamble before it is cut anywhere."""
    body = b"preamble\r\n" + field(b"image", trained.picture) + END
    chance = random.Random(0)
    cuts = [0, *sorted(chance.sample(range(1, 400), 120)), len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise(cuts)]
    answer = client.post("/predict_all", content=iter(pieces), headers={"Content-Type": FORM})
    assert answer.status_code == 200, answer.text


def test_bent_forms_are_no_failures(client: TestClient, trained: Trained) -> None:
    chance = random.Random(0)
    body = part(trained.picture, PLAIN, TYPE) + field(b"threshold", b"2") + END
    heads = [*range(160), *range(len(body) - 120, len(body))]
    for _ in range(150):
        bent = bytearray(body)
        for at in chance.sample(heads, chance.randrange(1, 6)):
            bent[at] = chance.randrange(256)
        answer = client.post("/predict_all", content=bytes(bent), headers={"Content-Type": FORM})
        assert answer.status_code in (200, 400, 415, 422), answer.text
