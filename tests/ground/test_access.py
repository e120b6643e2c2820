"""Access settings: host names, origins, tokens, and values that make no sense."""

from pathlib import Path

import pytest

from scalp_core.access import Access, access, is_exposed
from scalp_core.errors import ScalpError

TOKEN = "correct-horse-battery"  # noqa: S105


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("localhost", True),
        ("localhost:8501", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1:8501", True),
        ("[::1]:8501", True),
        ("localhost.", True),
        ("10.0.0.7:8501", True),  # the address to which the request came
        ("lab.example.com", True),
        ("lab.example.com:9999", True),
        ("other.example.com:8443", True),
        ("other.example.com", False),  # allowed with its port only
        ("other.example.com:8501", False),
        ("evil.example", False),
        ("evil.example:8501", False),
        ("localhost.evil.example", False),
        ("evil.example/localhost", False),
        ("evil.example@localhost", False),
        ("localhost:port", False),
        ("10.0.0.8", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_hosts(host: str, answered: bool) -> None:
    settings = access({"SCALP_ALLOWED_HOSTS": "lab.example.com, other.example.com:8443"})
    assert settings.answers_to(host, "10.0.0.7") is answered


@pytest.mark.parametrize(
    ("origin", "host", "accepted"),
    [
        ("http://localhost:8501", "localhost:8501", True),
        ("http://127.0.0.1:8501", "localhost:8501", False),
        ("http://localhost:8502", "localhost:8501", False),  # another server of this machine
        ("http://localhost", "localhost:8501", False),
        ("https://lab.example.com", "lab.example.com", True),  # behind a proxy with TLS
        ("https://lab.example.com", "localhost:8501", True),
        ("https://lab.example.com:444", "localhost:8501", False),
        ("http://evil.example", "localhost:8501", False),
        ("http://evil.example", "evil.example", True),  # refused by its host
        ("null", "localhost:8501", False),
        ("", "localhost:8501", False),
        ("file://", "localhost:8501", False),
        ("http://localhost:8501/path", "localhost:8501", False),
        ("http://evil.example@localhost:8501", "localhost:8501", False),
        ("http://ĺocalhost:8501", "localhost:8501", False),
    ],
)
def test_origins(origin: str, host: str, accepted: bool) -> None:
    assert Access(frozenset({"lab.example.com"})).accepts_origin(origin, host) is accepted


@pytest.mark.parametrize(
    ("listed", "origin", "shared"),
    [
        ("", "https://app.example.com", False),
        ("https://app.example.com", "https://app.example.com", True),
        ("HTTPS://App.example.com:443, http://localhost:5173", "https://app.example.com", True),
        ("https://app.example.com, http://localhost:5173", "http://localhost:5173", True),
        ("https://app.example.com", "http://app.example.com", False),
        ("https://app.example.com", "https://app.example.com:8443", False),
        ("https://app.example.com", "https://app.example.com.evil.example", False),
        ("https://app.example.com", "null", False),
        ("http://[::1]:5173", "http://[::1]:5173", True),
        ("*", "https://anywhere.example", True),
    ],
)
def test_front_ends_elsewhere(listed: str, origin: str, shared: bool) -> None:
    assert access({"SCALP_CORS_ORIGINS": listed}).shares_with(origin) is shared


def test_tokens(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    for settings in (access({"SCALP_TOKEN": TOKEN}), access({"SCALP_TOKEN_FILE": str(file)})):
        assert settings.accepts_token(TOKEN)
        assert not any(
            settings.accepts_token(candidate) for candidate in ("", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "토큰")
        )
        assert TOKEN not in repr(settings)
    assert access({}).accepts_token("")
    assert not access({"SCALP_ALLOWED_USERS": "*"}).accepts_token(""), "REST has no log-in"


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"email": "Kim@Example.com"}, True),
        ({"email": "kim@example.com", "email_verified": True}, True),
        ({"email": "kim@example.com", "email_verified": False}, False),
        ({"email": "kim@example.com", "email_verified": "false"}, False),
        ({"email": "park@example.com"}, False),
        ({"email": "park@lab.example.com"}, True),
        ({"email": "park@evil.lab.example.com"}, False),
        ({"email": "park@evil-lab.example.com"}, False),
        ({"email": "park@evil.example@lab.example.com"}, False),
        ({"email": "\N{KELVIN SIGN}im@example.com"}, False),
        ({"email": "kim@example.com "}, False),
        ({"email": ["kim@example.com"]}, False),
        ({"email": "*"}, False),
        ({"name": "kim@example.com"}, False),
        ({}, False),
    ],
)
def test_users(claims: dict[str, object], accepted: bool) -> None:
    assert access({"SCALP_ALLOWED_USERS": "KIM@example.com, @lab.example.com"}).accepts_user(claims) is accepted
    assert access({"SCALP_ALLOWED_USERS": "*"}).accepts_user(claims)
    assert not access({}).accepts_user(claims)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"SCALP_TOKEN": "short"}, "at least 16"),
        ({"SCALP_TOKEN_FILE": "/nowhere/token"}, "cannot be read"),
        ({"SCALP_READ_ONLY": "yes"}, "neither 0 nor 1"),
        ({"SCALP_ALLOWED_HOSTS": "http://lab.example.com/"}, "no host"),
        ({"SCALP_CORS_ORIGINS": "app.example.com"}, "no origin"),
        ({"SCALP_CORS_ORIGINS": "https://app.example.com/"}, "no origin"),
        ({"SCALP_CORS_ORIGINS": "https://*.example.com"}, "no origin"),
        ({"SCALP_CORS_ORIGINS": "https://app.example.com:99999"}, "no origin"),
        ({"SCALP_CORS_ORIGINS": "https://kim@example.com"}, "no origin"),
        ({"SCALP_CORS_ORIGINS": "null"}, "no origin"),
        ({"SCALP_ALLOWED_USERS": "lab.example.com"}, "neither an address nor a domain"),
        ({"SCALP_ALLOWED_USERS": "kim@lab@example.com"}, "neither an address nor a domain"),
        ({"SCALP_ALLOWED_USERS": "@"}, "neither an address nor a domain"),
    ],
)
def test_settings_without_sense_are_refused(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ScalpError, match=named) as caught:
        access(environment)
    assert caught.value.code == "bad_setting"
    assert caught.value.text.ko != caught.value.text.en


@pytest.mark.parametrize(
    ("address", "settings", "exposed"),
    [
        ("127.0.0.1", Access(), False),
        ("localhost", Access(), False),
        ("::1", Access(), False),
        ("0.0.0.0", Access(), True),  # noqa: S104
        ("::", Access(), True),
        ("192.168.0.5", Access(), True),
        ("lab.example.com", Access(), True),
        ("0.0.0.0", Access(token=TOKEN), False),  # noqa: S104
        ("0.0.0.0", Access(read_only=True), False),  # noqa: S104
        ("0.0.0.0", Access(users=frozenset("*")), False),  # noqa: S104
    ],
)
def test_exposed_servers(address: str, settings: Access, exposed: bool) -> None:
    assert is_exposed(address, settings) is exposed
