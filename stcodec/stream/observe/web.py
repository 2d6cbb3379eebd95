"""HTTP server of a running stream: metrics, health, the dashboard and the stream's own files. Read only.

It listens on this machine only unless told otherwise, and then wants a token.
"""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from typing import Any

from stcodec.errors import OptionsError
from stcodec.stream.observe.dashboard.data import DashboardData
from stcodec.stream.observe.dashboard.page import render
from stcodec.stream.observe.http_server import QUIET_SECONDS, HttpServer, Response, Routes
from stcodec.stream.observe.listen import WebOptions
from stcodec.stream.observe.metrics import CONTENT_TYPE, health_problems, prometheus_text
from stcodec.stream.observe.snapshot import Observed, StreamSnapshot
from stcodec.stream.output.serve import ServedFolder

_FILE_SECONDS = 60.0
"""A request for a file may take so long: it grows, or is waited for."""
_POLL_SECONDS = 0.2


class WebServer:
    """HTTP server of one stream. Binds its port when made, so that a busy port is known early; answers after `start`."""

    def __init__(
        self, options: WebOptions, *, folder: ServedFolder | None = None, request_seconds: float | None = None
    ) -> None:
        """folder: what is given out, if the options say so. request_seconds: a connection is one request, and closed after
        this long whatever it does; None = 10, and longer where files are waited for."""
        if request_seconds is None:
            request_seconds = 10.0 if folder is None else _FILE_SECONDS
        self._feed = DashboardData()
        self._server = _bind(options, folder, request_seconds)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Address of the server."""
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}/" if ":" in str(host) else f"http://{host!s}:{port}/"

    @property
    def urls(self) -> list[str]:
        """Addresses that can be opened: the server's own page, and playlists and manifests."""
        options, folder = self._server.options, self._server.folder
        own = [self.url] if options.metrics or options.dashboard else []
        return [*own, *(self.url + name for name in (folder.names if folder is not None else []))]

    def start(self, observed: Observed) -> None:
        """Begin to answer, on a thread of its own."""
        self._server.routes = _routes(observed, self._feed, self._server.options)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name="web", daemon=True)
        self._thread.start()

    def show(self, snapshot: StreamSnapshot) -> None:
        """Keep a moment for the dashboard's charts."""
        self._feed.keep(snapshot)

    def close(self) -> None:
        """Stop listening."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(QUIET_SECONDS)
        self._server.server_close()


def _routes(observed: Observed, feed: DashboardData, options: WebOptions) -> Routes:
    def healthz(_: object) -> Response:
        reasons = health_problems(observed.snapshot())
        text = "".join(f"{one}\n" for one in reasons) or "healthy\n"
        return Response(
            text.encode(errors="backslashreplace"), status=HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        )

    def state(query: dict[str, list[str]]) -> Response:
        since = query.get("since", ["0"])[0]
        number = int(since) if since.isdecimal() and len(since) < 10 else 0
        return _json(feed.state(observed.snapshot(), number))

    routes: Routes = {}
    if options.metrics:
        routes["/healthz"] = healthz
        routes["/metrics"] = lambda _: Response(prometheus_text(observed.snapshot()), CONTENT_TYPE)
    if options.dashboard:
        routes["/"] = lambda _: Response(render().encode(), "text/html; charset=utf-8")
        routes["/state.json"] = state
        routes["/preview.json"] = lambda _: _json(feed.preview(observed.preview()))
    return routes


def _json(value: Any) -> Response:
    return Response(json.dumps(value, allow_nan=False).encode(), "application/json")


def _bind(options: WebOptions, folder: ServedFolder | None, request_seconds: float) -> HttpServer:
    try:
        return HttpServer(options, folder, request_seconds)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise OptionsError(
            f"{options.address}: can't listen there ({reason}); give another IP:PORT", value=options.address
        ) from None
