"""HTTP as the server of a stream speaks it: bounded connections, hosts, tokens, and answers.

It is safe beside hostile neighbours: pages of other sites can't read it (no CORS, unless one origin is named that may read
the files; and a foreign Host header, as DNS rebinding has it, is refused); requests are bounded in number, size and time.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stcodec.stream.observe.listen import WebOptions
from stcodec.stream.output.serve import NotServed, ServedFolder

_MOST_CONNECTIONS = 32
"""Of those that are answered, and of those that have not asked yet."""
_MOST_VIEWERS = 256
"""Connections, where the stream's files are given out."""
_WAIT_SECONDS = 2.0
"""A connection that has not asked by then is closed."""
QUIET_SECONDS = 5.0
"""A connection that is silent for so long is closed."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Response:
    """An answer to a request."""

    body: bytes | Iterator[bytes]
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


Routes = dict[str, Callable[[dict[str, list[str]]], Response]]
"""What answers a request, by path; it is given the query."""


class HttpServer(ThreadingHTTPServer):
    """Server of routes and of a folder, whose connections are bounded in number and time."""

    daemon_threads = True
    request_queue_size = _MOST_CONNECTIONS

    def __init__(self, options: WebOptions, folder: ServedFolder | None, request_seconds: float) -> None:
        self._request_seconds = request_seconds
        self._most = _MOST_CONNECTIONS if folder is None else _MOST_VIEWERS
        self.options = options
        self.folder = folder
        self.routes: Routes = {}
        self._wait_seconds = min(_WAIT_SECONDS, request_seconds)
        self._waiting: dict[socket.socket, float] = {}
        """Connections that have not asked yet, or not with the token, and since when, the oldest first."""
        self._answered: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in options.place[0] else socket.AF_INET
        super().__init__(options.place, _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's asks the name service who we are

    def process_request(self, request: Any, client_address: Any) -> None:
        self._enter(request, self._waiting)
        super().process_request(request, client_address)

    def admit(self, request: socket.socket) -> None:
        """Its request is whole, and may be answered: it no longer counts among those that wait to be heard."""
        self._enter(request, self._answered)

    def shutdown_request(self, request: Any) -> None:
        self._leave(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called a few times a second: who takes too long is cut off; its thread then ends by itself."""
        now = time.monotonic()
        for connections, seconds in ((self._waiting, self._wait_seconds), (self._answered, self._request_seconds)):
            with self._lock:
                late = [one for one, since in connections.items() if since < now - seconds]
            for one in late:
                self._cut(one)

    def _enter(self, request: socket.socket, connections: dict[socket.socket, float]) -> None:
        """Take a request in; without room the oldest goes, so that a new one is always heard."""
        with self._lock:
            self._waiting.pop(request, None)
            oldest = next(iter(connections)) if len(connections) >= self._most else None
            connections[request] = time.monotonic()
        if oldest is not None:
            self._cut(oldest)

    def _leave(self, request: socket.socket) -> None:
        with self._lock:
            self._waiting.pop(request, None)
            self._answered.pop(request, None)

    def _cut(self, request: socket.socket) -> None:
        self._leave(request)
        with contextlib.suppress(OSError):  # it may have gone already
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: the client has gone, or sees a closed connection."""


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    timeout = QUIET_SECONDS
    server_version, sys_version = "stcodec", ""

    def do_GET(self) -> None:
        try:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query, max_num_fields=8)
        except ValueError:
            self._refuse(HTTPStatus.BAD_REQUEST, "not an address")
            return
        route = self.server.routes.get(parts.path)
        if not self._is_for_us():
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to its own address only")
        elif not self._has_token():
            self._refuse(HTTPStatus.UNAUTHORIZED, "a token is needed, as Bearer or as the password")
        elif route is not None:
            self.server.admit(self.connection)
            self._answer(route(query))
        elif self.server.folder is not None:
            self.server.admit(self.connection)
            self._give(self.server.folder, parts.path.removeprefix("/"), query)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is {' '.join(self.server.routes)}")

    do_HEAD = do_GET

    def do_OPTIONS(self) -> None:
        """Tell a page of the origin that may read the files that it may say the token, too."""
        self._answer(Response(b"", status=HTTPStatus.NO_CONTENT))

    def _give(self, folder: ServedFolder, name: str, query: dict[str, list[str]]) -> None:
        try:
            file = folder.get(name, query)
        except NotServed as error:
            self._refuse(error.status, str(error))
        else:
            self._answer(Response(file.body, file.content_type))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server itself refuses, as plain text."""
        self._refuse(HTTPStatus(code), message or "")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing: stderr belongs to the status line."""

    def _is_for_us(self) -> bool:
        """False for names that a foreign page could have pointed here. A token keeps those out by itself."""
        if self.server.options.token is not None:
            return True
        named = self.headers.get_all("Host") or [""]
        try:
            host = urlsplit(f"//{named[0]}").hostname
        except ValueError:
            return False
        return len(named) == 1 and host in {"localhost", "127.0.0.1", "::1", str(self.server.server_address[0])}

    def _has_token(self) -> bool:
        token = self.server.options.token
        if token is None:
            return True
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode("latin-1").partition(":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self._answer(Response(f"{text}\n".encode(errors="backslashreplace"), status=status))

    def _answer(self, answer: Response) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        if isinstance(answer.body, bytes):
            self.send_header("Content-Length", str(len(answer.body)))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="stcodec", charset="UTF-8"')
        for name, value in {**_HEADERS, **self._cross_origin()}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for block in [answer.body] if isinstance(answer.body, bytes) else answer.body:
                self.wfile.write(block)

    def _cross_origin(self) -> dict[str, str]:
        """Headers for a page of the origin that may read the files."""
        origin = self.server.options.origin
        if self.server.folder is None or origin is None or self.headers.get("Origin") != origin:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Headers": "authorization, range",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Origin",
        }
