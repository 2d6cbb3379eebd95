"""A chain of libavfilter's filters that frames go through before they are encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.error import BlockingIOError as NotYetError, EOFError as EndError, FFmpegError
from av.filter import Graph
from av.video.frame import VideoFrame

from stcodec.errors import OptionsError

SETS_RATE = frozenset({"fps", "framerate", "minterpolate"})
"""Filters whose clock ticks once a frame."""
_SPATIAL = frozenset(
    ("crop", "scale", "pad", "format", "setsar", "setdar", "transpose", "hflip", "vflip", "unsharp", "drawbox", "curves")
)
"""Filters that make each frame of one frame alone, whatever came before it."""


def split_chain(text: str) -> list[tuple[str, str]]:
    """Names and arguments of a chain as ffmpeg's -vf takes it: "scale=640:-2,eq=gamma=1.1".

    One level of quotes and backslashes is taken off, as ffmpeg's own parser does. Raises OptionsError for what is no simple
    chain: labels, several chains, an empty filter.
    """
    filters = [_name_and_arguments(one, text) for one in _parts(text)]
    if not filters:
        raise OptionsError(f"--vf {text!r}: names no filter; give a chain such as scale=1280:-2", value=text)
    return filters


def is_spatial(text: str) -> bool:
    """Whether each frame that comes out of a chain depends on one frame alone, so that it may begin anywhere."""
    return all(name in _SPATIAL for name, _ in (split_chain(text) if text else []))


class FilterChain:
    """Filters for frames of one size and format; what comes out may be of another, at other times."""

    def __init__(self, text: str, first: VideoFrame, rate: Fraction | None, aspect: Fraction | None) -> None:
        """first: a frame as all will be; rate, aspect: the video's frame rate and sample aspect ratio.

        Raises OptionsError for a chain that libavfilter does not take.
        """
        self._text = text
        self._graph = Graph()
        nodes = [self._graph.add("buffer", _source(first, rate, aspect))]
        for name, arguments in split_chain(text):
            nodes.append(self._add(name, arguments))
        nodes.append(self._graph.add("buffersink"))
        try:
            self._graph.link_nodes(*nodes).configure()
        except (FFmpegError, ValueError, IndexError) as error:
            raise self._refused(f"its filters don't fit together ({error})") from None

    def __call__(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """The frames that are ready after one more; None = there are no more."""
        try:
            self._graph.push(frame)
            while True:
                made = self._graph.pull()
                assert isinstance(made, VideoFrame)
                yield made
        except (NotYetError, EndError):
            return
        except FFmpegError as error:
            raise self._refused(f"failed ({error.strerror or error})") from None

    def _add(self, name: str, arguments: str) -> av.filter.FilterContext:
        try:
            return self._graph.add(name, arguments or None)
        except FFmpegError as error:
            raise self._refused(f"{name} does not take {arguments!r} ({error.strerror or error})") from None
        except ValueError:
            raise self._refused(f"there is no filter {name!r} in the ffmpeg here") from None

    def _refused(self, why: str) -> OptionsError:
        advice = "`ffmpeg -h filter=NAME` says what a filter takes"
        return OptionsError(f"--vf {self._text!r}: {why}; {advice}", value=self._text)


def _source(first: VideoFrame, rate: Fraction | None, aspect: Fraction | None) -> str:
    assert first.time_base is not None
    said = {
        "video_size": f"{first.width}x{first.height}",
        "pix_fmt": first.format.name,
        "time_base": f"{first.time_base.numerator}/{first.time_base.denominator}",
        "pixel_aspect": f"{aspect.numerator}/{aspect.denominator}" if aspect else "0/1",
        "colorspace": str(int(first.colorspace)),
        "range": str(int(first.color_range)),
    }
    if rate:
        said["frame_rate"] = f"{rate.numerator}/{rate.denominator}"
    return ":".join(f"{key}={value}" for key, value in said.items())


def _parts(text: str) -> list[str]:
    """The filters of a chain, still quoted, cut at the commas that are not quoted."""
    parts, quoted, escaped, begin = [], False, False, 0
    for at, letter in enumerate(text):
        if escaped:
            escaped = False
        elif letter == "\\" and not quoted:
            escaped = True
        elif letter == "'":
            quoted = not quoted
        elif not quoted and letter in "[];":
            raise OptionsError(f"--vf {text!r}: {letter!r} is not taken: give one chain, without labels", value=text)
        elif not quoted and letter == ",":
            parts.append(text[begin:at])
            begin = at + 1
    if quoted:
        raise OptionsError(f"--vf {text!r}: a quote is not closed", value=text)
    return [*parts, text[begin:]] if text.strip() else []


def _name_and_arguments(part: str, text: str) -> tuple[str, str]:
    name, _, arguments = part.strip().partition("=")
    if not name:
        raise OptionsError(f"--vf {text!r}: a filter between two commas is missing", value=text)
    plain, escaped, quoted = [], False, False
    for letter in arguments:
        if escaped:
            plain.append(letter)
            escaped = False
        elif letter == "\\" and not quoted:
            escaped = True
        elif letter == "'":
            quoted = not quoted
        else:
            plain.append(letter)
    return name, "".join(plain)
