"""An application served alone, by one process or several: the command behind `python -m scalp_core.rest`.

uvicorn does the serving, on connections with deadlines; words for a port that cannot be had are here. Knows no route.
"""

import argparse
import logging
import os
import socket
import sys

import uvicorn
from uvicorn.supervisors import Multiprocess

from scalp_core.parallel import ignore_sigint
from scalp_core.rest.connections import TimeoutH11Protocol

_log = logging.getLogger("uvicorn.error")  # which uvicorn sets up, where its own lines go

_MOST_WORKERS = 64
_CONNECTIONS = 512  # of a worker; whoever comes then is answered 503 at once
_STOP_SECONDS = 30  # for requests that are under way
_BACKLOG = 1024  # connections that wait to be accepted


class _Workers(Multiprocess):
    """uvicorn's, who leave Ctrl-C to the first process until they serve: in the midst of imports it is a traceback."""

    def init_processes(self) -> None:
        with ignore_sigint():
            super().init_processes()


def main(application: str, command: str) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        application: `module:attribute`; every worker imports it for itself.
        command: how people call this.
    """
    options = _parser(command).parse_args()
    try:
        listening = listen(options.host, options.port)
    except OSError as error:
        where = f"{options.host}, port {options.port}"
        sys.exit(f"Cannot listen on {where}: {error.strerror}. Choose another --host or --port.")
    os.environ["WEB_CONCURRENCY"] = str(options.workers)  # by this name uvicorn, and whoever shares out cores, knows
    config = uvicorn.Config(
        application,
        http=TimeoutH11Protocol,
        ws="none",
        workers=options.workers,
        access_log=False,  # the application has its own, which names no query
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    _log.info("Listening on http://%s:%d, %d at work", options.host, options.port, options.workers)
    if options.workers == 1:
        uvicorn.Server(config).run([listening])
    else:
        _Workers(config, [listening]).run()


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=command, description="Serve the REST interface alone, without the dashboard.")
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8502"
    parser.add_argument("--host", default=host, help="address to listen on (default: HOST or 127.0.0.1)")
    parser.add_argument("--port", type=_port, default=port, help="to listen on (default: PORT or 8502)")
    parser.add_argument(
        "--workers", type=_workers, default="1", help="processes that answer, each with its own runs (default 1)"
    )
    return parser


def _port(text: str) -> int:
    return _number(text, 65535, "the port")


def _workers(text: str) -> int:
    return _number(text, _MOST_WORKERS, "the number of workers")


def _number(text: str, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
        raise argparse.ArgumentTypeError(f"{what} is “{text}”; it must be a number from 1 to {most}.")
    return int(text)


def listen(host: str, port: int) -> socket.socket:
    """A socket on which connections may arrive, for one process or several.

    Raises:
        OSError: no such host, not an address of this machine, taken, not allowed.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
