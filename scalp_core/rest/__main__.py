"""The command `python -m scalp_core.rest`: the REST interface without the dashboard."""

import argparse
import os

from scalp_core.rest import server

_MAX_PORT = 65535


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    options = _parser().parse_args(arguments)
    server.serve(options.host, options.port, options.workers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scalp_core.rest", description="Serve the REST interface alone, without the dashboard."
    )
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8502"
    parser.add_argument("--host", default=host, help="address to listen on (default: HOST or 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=port, help="to listen on (default: PORT or 8502)")
    parser.add_argument(
        "--workers", type=_workers, default="1", help="processes that answer, each with its own runs (default 1)"
    )
    return parser


def _port(text: str) -> int:
    return _number(text, _MAX_PORT, "the port")


def _workers(text: str) -> int:
    return _number(text, server.MAX_WORKERS, "the number of workers")


def _number(text: str, largest: int, name: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= largest):
        raise argparse.ArgumentTypeError(f"{name} is “{text}”; it must be a number from 1 to {largest}.")
    return int(text)


if __name__ == "__main__":
    main()
