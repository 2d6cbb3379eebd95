"""Interlaced pictures made whole: encoders drop the offsets of interlaced frames, and players show combs."""

from __future__ import annotations

from av.error import BlockingIOError as NotYetError
from av.error import EOFError as EndError
from av.filter import Graph
from av.video.frame import VideoFrame

_SETTINGS = "mode=send_frame:deint=interlaced"


class Deinterlacer:
    """Passes frames on as they are until one is interlaced; from there on each goes through yadif, a frame late."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def __call__(self, frame: VideoFrame) -> list[VideoFrame]:
        shape = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and shape != self._shape:
            self._graph = None  # what is still in there is lost: a frame, where the size changes
        if self._graph is None:
            if not frame.interlaced_frame:
                return [frame]
            self._graph, self._shape = _graph(frame), shape
        self._graph.push(frame)
        return _pulled(self._graph)


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base, name="in"
    )
    filtered, sink = graph.add("yadif", _SETTINGS), graph.add("buffersink")
    source.link_to(filtered)
    filtered.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: Graph) -> list[VideoFrame]:
    found: list[VideoFrame] = []
    try:
        while True:
            frame = graph.pull()
            assert isinstance(frame, VideoFrame)
            found.append(frame)
    except (NotYetError, EndError):
        return found
