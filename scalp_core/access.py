"""Access: hosts that a server answers to, front ends elsewhere, the token, the read-only mode, users.

Settings of the environment: `SCALP_ALLOWED_HOSTS`, `SCALP_TOKEN` or `SCALP_TOKEN_FILE`, `SCALP_READ_ONLY`,
`SCALP_ALLOWED_USERS`, `SCALP_CORS_ORIGINS`.
"""

import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from scalp_core.errors import ScalpError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MIN_TOKEN = 16  # characters; shorter ones are found by trying
ALL_USERS = "*"  # whom the provider lets in
ALL_ORIGINS = "*"
# An address of e-mail, or the domain after an @. In ASCII: in lower case the Kelvin sign would be a k.
_USER = re.compile(r"[!-?A-~]*@[!-?A-~]+")
_ORIGIN = re.compile(r"(https?)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class Access:
    """The access settings of a server.

    Attributes:
        hosts: names beside the loopback ones, each with or without a port: `lab.example.com`, `10.0.0.5:8501`.
        token: text that clients show; empty: none is asked for.
        read_only: nothing may be changed, with or without the token.
        users: who may log in, as addresses of e-mail, domains after an @, or ALL_USERS; empty: there is no log-in.
        cors_origins: origins of front ends elsewhere whose pages may read REST's answers, as browsers write them, or
            ALL_ORIGINS. Pages and their WebSockets stay closed to them.
    """

    hosts: frozenset[str] = frozenset()
    token: str = field(default="", repr=False)  # never in a log
    read_only: bool = False
    users: frozenset[str] = frozenset()
    cors_origins: frozenset[str] = frozenset()

    def answers_to(self, host: str, local_address: str = "") -> bool:
        """Check the Host header of a request. Any other name may be an attacker's that leads to this server.

        Source: DNS rebinding, Jackson et al. 2007.

        Args:
            local_address: the address of this machine that the request came to; it needs no name.
        """
        name, port = _split(host)
        if not name:
            return False
        return name in LOOPBACK_NAMES or name == local_address or bool({name, f"{name}:{port}"} & self.hosts)

    def accepts_origin(self, origin: str, host: str) -> bool:
        """Check the Origin header of a request: pages of this server only, ports included, or of an allowed host."""
        parts = urlsplit(origin) if origin.isascii() else urlsplit("")
        default = _DEFAULT_PORTS.get(parts.scheme)
        name, port = _split(parts.netloc)
        if default is None or not name or parts.path or parts.query:
            return False
        own_name, own_port = _split(host)
        if (name, port or default) == (own_name, own_port or default):
            return True
        return f"{name}:{port or default}" in self.hosts or (name in self.hosts and port in (None, default))

    def shares_with(self, origin: str) -> bool:
        """Return whether pages of this origin may read REST's answers."""
        return ALL_ORIGINS in self.cors_origins or origin in self.cors_origins

    def accepts_token(self, candidate: str) -> bool:
        """Check a token in constant time; with none set, everything passes, or nothing where users must log in."""
        if not self.token:
            return not self.users
        return hmac.compare_digest(candidate.encode(), self.token.encode())

    def accepts_user(self, claims: Mapping[str, object]) -> bool:
        """Check who is logged in by what the provider says, in claims of OpenID Connect."""
        if ALL_USERS in self.users:
            return True
        email = claims.get("email")
        if not isinstance(email, str) or not _USER.fullmatch(email):
            return False
        if str(claims.get("email_verified")).lower() == "false":  # some providers send it as text
            return False
        email = email.lower()
        return not self.users.isdisjoint({email, email[email.index("@") :]})


def _split(host: str) -> tuple[str, int | None]:
    """Split a Host header or the end of an address into name and port; an empty name where it is neither."""
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return "", None
    return ("", None) if "@" in host or parts.path or parts.query or parts.fragment else (name.rstrip("."), port)


def access(environment: Mapping[str, str] = os.environ) -> Access:
    """Read the settings.

    Raises:
        ScalpError: `bad_setting`; a server must not start with less protection than was meant.
    """
    return Access(
        _hosts(environment),
        _token(environment),
        _read_only(environment),
        _users(environment),
        _cors_origins(environment),
    )


def setting_entries(environment: Mapping[str, str], name: str) -> list[str]:
    """Return what stands between the commas of a setting, in lower case."""
    return [entry for text in environment.get(name, "").split(",") if (entry := text.strip().lower())]


def _hosts(environment: Mapping[str, str]) -> frozenset[str]:
    hosts = set()
    for entry in setting_entries(environment, "SCALP_ALLOWED_HOSTS"):
        name, port = _split(entry)
        if not name:
            raise bad_setting(
                "SCALP_ALLOWED_HOSTS",
                f"“{entry}” is no host; write names with commas between them, as in lab.example.com,10.0.0.5:8501",
                f"“{entry}”은(는) 호스트가 아니에요. lab.example.com,10.0.0.5:8501처럼 쉼표로 구분해서 쓰세요",
            )
        hosts.add(f"{name}:{port}" if port else name)
    return frozenset(hosts)


def _token(environment: Mapping[str, str]) -> str:
    path, token = environment.get("SCALP_TOKEN_FILE"), environment.get("SCALP_TOKEN", "").strip()
    if path:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise bad_setting(
                "SCALP_TOKEN_FILE", f"{path} cannot be read: {reason}", f"{path} 파일을 읽을 수 없어요: {reason}"
            ) from error
    if (path or token) and len(token) < MIN_TOKEN:
        raise bad_setting(
            "SCALP_TOKEN_FILE" if path else "SCALP_TOKEN",
            f"the token has {len(token)} characters; use at least {MIN_TOKEN}",
            f"토큰이 {len(token)}자예요. {MIN_TOKEN}자 이상으로 정하세요",
        )
    return token


def _read_only(environment: Mapping[str, str]) -> bool:
    text = environment.get("SCALP_READ_ONLY", "").strip()
    if text not in ("", "0", "1"):
        raise bad_setting(
            "SCALP_READ_ONLY", f"“{text[:20]}” is neither 0 nor 1", f"“{text[:20]}”은(는) 0도 1도 아니에요"
        )
    return text == "1"


def _users(environment: Mapping[str, str]) -> frozenset[str]:
    users = setting_entries(environment, "SCALP_ALLOWED_USERS")
    for entry in users:
        if entry != ALL_USERS and not _USER.fullmatch(entry):
            raise bad_setting(
                "SCALP_ALLOWED_USERS",
                f"“{entry}” is neither an address nor a domain; write kim@example.com,@lab.example.com, or * for all",
                f"“{entry}”은(는) 주소도 도메인도 아니에요. kim@example.com,@lab.example.com이나 *(모두)로 쓰세요",
            )
    return frozenset(users)


def _cors_origins(environment: Mapping[str, str]) -> frozenset[str]:
    return frozenset(_cors_origin(entry) for entry in setting_entries(environment, "SCALP_CORS_ORIGINS"))


def _cors_origin(entry: str) -> str:
    """Return an origin as browsers write it: without the default port of its scheme."""
    if entry == ALL_ORIGINS:
        return entry
    match = _ORIGIN.fullmatch(entry)
    if not match or not _split(entry.partition("://")[2])[0]:
        raise bad_setting(
            "SCALP_CORS_ORIGINS",
            f"“{entry}” is no origin; write http:// or https:// and a host, without a path, as in "
            "https://app.example.com,http://localhost:5173, or * for all",
            f"“{entry}”은(는) 출처가 아니에요. https://app.example.com,http://localhost:5173처럼 http://나 https://와 "
            "호스트만 경로 없이 쓰거나, 모두 허용하려면 *로 쓰세요",
        )
    scheme, host, port = match.groups(default="")
    return f"{scheme}://{host}" if port == f":{_DEFAULT_PORTS[scheme]}" else entry


def bad_setting(name: str, en: str, ko: str) -> ScalpError:
    """Return the error of a setting of this name; `en` and `ko` say what is wrong with it, without a full stop."""
    return ScalpError("bad_setting", f"{name}: {en}.", f"{name}: {ko}.")


def is_exposed(address: str, settings: Access) -> bool:
    """Return whether others than this machine can reach a server at this address and change something there.

    Args:
        address: on which it listens; empty: on all of this machine's.
    """
    if settings.token or settings.read_only or settings.users:
        return False
    try:
        return not ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address != "localhost"
