"""A server of a folder, as players need it: fresh playlists, pages of other origins, segments that are still growing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

GROWING = ".tmp"
"""Ending of a segment that is being written; it is renamed when it is whole."""
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".mp4": "video/mp4",
    ".m4s": "video/iso.segment",
}
_PATIENCE_SECONDS = 10.0


@contextmanager
def serve_folders(*folders: Path) -> Iterator[str]:
    """The address of a server on loopback that gives out the files of these folders, the first that has one."""

    class Handler(_Handler):
        places = folders

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    places: tuple[Path, ...] = ()

    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path).lstrip("/")
        if name == "time":
            self._give(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode(), "text/plain")
            return
        for place in self.places:
            path = (place / name).resolve()
            if not path.is_relative_to(place.resolve()):
                continue
            try:
                if path.is_file():
                    self._give(path.read_bytes(), _TYPES.get(path.suffix, "application/octet-stream"))
                    return
                with path.with_name(path.name + GROWING).open("rb") as growing:
                    self._follow(growing, path)
                    return
            except FileNotFoundError:
                continue
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Not on the terminal."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def _give(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _follow(self, growing: BinaryIO, whole: Path) -> None:
        """Give what is there and what is yet to come, in chunks, until the segment is whole."""
        self.send_response(200)
        self.send_header("Content-Type", _TYPES.get(whole.suffix, "application/octet-stream"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end = time.monotonic() + _PATIENCE_SECONDS
        is_whole = False
        while not is_whole and time.monotonic() < end:
            is_whole = whole.exists()
            while piece := growing.read(1 << 16):
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            time.sleep(0 if is_whole else 0.01)
        self.wfile.write(b"0\r\n\r\n")
