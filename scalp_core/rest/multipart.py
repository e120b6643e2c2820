"""Parses multipart forms in the spellings of older clients, which Starlette's parser alone refuses.

A picture may come without a file name, or with one in the spelling of RFC 5987 alone, as older HTTP libraries send
Korean names. Text may stand before the first boundary (RFC 2046, 5.1.1).
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

_MAX_PREAMBLE = 1024  # bytes


async def parse_form(
    request: Request, files_under: str, max_files: int, max_fields: int, max_part_size: int
) -> FormData:
    """Return the form of a request.

    Args:
        files_under: name whose parts are files, whatever is said of a file name.
        max_part_size: of a field, in bytes.

    Raises:
        HTTPException: 400, the form cannot be read or has more than is allowed.
    """
    content_type, options = parse_options_header(request.headers.get("Content-Type"))
    if content_type != b"multipart/form-data":
        return await request.form(max_fields=max_fields, max_part_size=max_part_size)
    boundary = options.get(b"boundary")
    if not boundary:
        raise HTTPException(400, "Content-Type names no boundary.")
    async with aclosing(request.stream()) as stream, aclosing(_without_preamble(stream, boundary)) as body:
        parser = _Parser(request.headers, body, max_files=max_files, max_fields=max_fields, max_part_size=max_part_size)
        parser.files_under = files_under.encode()
        try:
            return await parser.parse()
        except MultiPartException as error:
            raise HTTPException(400, _detail(error)) from error
        except UnicodeError as error:
            raise HTTPException(400, "Names cannot be read in the charset of Content-Type.") from error


def _detail(error: MultiPartException) -> str:
    if isinstance(error.__cause__, FormParserError):
        return "Invalid multipart data. Every line ends in CR LF, and the boundary is that of Content-Type."
    return error.message


class _Parser(MultiPartParser):
    files_under = b""
    _ended = False

    def on_headers_finished(self) -> None:
        part = self._current_part
        _, options = parse_options_header(part.content_disposition)
        if options.get(b"name") == self.files_under and b"filename" not in options:
            part.content_disposition = (part.content_disposition or b"") + b'; filename=""'
        super().on_headers_finished()

    def on_end(self) -> None:
        self._ended = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._ended:
            await form.close()
            raise MultiPartException("It ends before its closing boundary.")
        return form


async def _without_preamble(stream: AsyncGenerator[bytes, None], boundary: bytes) -> AsyncGenerator[bytes, None]:
    """Yield the body from its first boundary on; whole where that does not come early."""
    delimiter = b"\n--" + boundary
    begun: bytes | None = b""
    async for chunk in stream:
        if begun is None:
            yield chunk
            continue
        begun += chunk
        start = (b"\n" + begun).find(delimiter, 0, _MAX_PREAMBLE + len(delimiter))
        if start >= 0 or len(begun) >= _MAX_PREAMBLE + len(delimiter):
            yield begun[max(start, 0) :]
            begun = None
    if begun:
        yield begun
