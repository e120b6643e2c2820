"""A process that serves REST alone and grades a picture: prints the distributions of all modules it has imported.

`python rest_process.py PICTURE`. A client for tests would bring imports of its own, so the standard library asks.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from importlib.metadata import packages_distributions
from pathlib import Path

import uvicorn

from scalp_core.rest.server import connection_options, listen

PATIENCE = 60  # seconds


def main(picture: bytes) -> None:
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config("scalp_core.rest.app:api", ws="none", log_level="error", **connection_options())
    threading.Thread(target=uvicorn.Server(config).run, args=([listening],), daemon=True).start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    wait_until_ready(address)
    head = b'--X\r\nContent-Disposition: form-data; name="image"; filename="scalp.jpg"\r\n\r\n'
    form = head + picture + b"\r\n--X--\r\n"
    assert json.loads(ask(f"{address}/predict_all?evidence=1", form))["value_6"]
    assert json.loads(ask(f"{address}/api/predict_batch", form))
    for path in ("/api/models", "/api/docs", "/api/docs/swagger-ui.css", "/api/openapi.json", "/api/metrics", "/test"):
        assert ask(address + path), path
    provided = packages_distributions()
    modules = {name.partition(".")[0] for name in sys.modules}
    sys.stdout.write(json.dumps(sorted({name for module in modules for name in provided.get(module, [])})))


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            ask(f"{address}/api/ready")
            return
        except urllib.error.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def ask(address: str, form: bytes | None = None) -> bytes:
    headers = {"Content-Type": "multipart/form-data; boundary=X"} if form else {}
    request = urllib.request.Request(address, form, headers)  # noqa: S310  our own server
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
        return bytes(answer.read())


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes())
