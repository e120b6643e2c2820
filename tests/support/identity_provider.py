"""An OpenID Connect provider on this machine: it lets in, without asking, the account that a test names."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "scalp-lab", "secret-of-the-client"


class IdentityProvider(ThreadingHTTPServer):
    """The provider.

    Attributes:
        account: claims about the user who logs in next.
        logouts: how many log-outs it was told of.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.account: dict[str, Any] = {}
        self.logouts = 0
        self.key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "test"})
        self.codes: dict[str, dict[str, str]] = {}  # what each log-in began with

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "end_session_endpoint": f"{self.address}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def begin(self, query: dict[str, str]) -> str:
        """Return the address to go back to with a code."""
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def tokens(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return the tokens for a code, once, to the client that proves itself and began with it."""
        begun = self.codes.pop(form["code"], None)
        client = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if begun is None or authorization != client or begun["code_challenge"] != challenge:
            return None
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": begun["nonce"]}
        identity = jwt.encode({"alg": "ES256", "kid": "test"}, claims | self.account, self.key)
        return {"access_token": "none", "token_type": "Bearer", "expires_in": 60, "id_token": identity}


class _Handler(BaseHTTPRequestHandler):
    server: IdentityProvider

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        match address.path:
            case "/.well-known/openid-configuration":
                self._answer(self.server.metadata())
            case "/jwks":
                self._answer({"keys": [self.server.key.as_dict(private=False)]})
            case "/authorize":
                self._redirect(self.server.begin(query))
            case "/logout":
                self.server.logouts += 1
                self._redirect(query["post_logout_redirect_uri"])
            case _:
                self.send_error(404)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        tokens = self.server.tokens(
            {name: values[0] for name, values in form.items()}, self.headers.get("Authorization", "")
        )
        self._answer(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _redirect(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Write nothing."""


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as provider:
        Thread(target=provider.serve_forever, args=(0.05,), daemon=True).start()
        yield provider
        provider.shutdown()
