"""Pictures to be shown, made from a decoder's frames: cropped, of one size, filtered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from stcodec.media.container_facts import Crop
from stcodec.media.filters import FilterChain

_UPRIGHT = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}
"""What turns a picture as a player would."""


class OneShape:
    """Makes frames of the size, pixel format and colours of the first: encoders take no others."""

    def __init__(self, first: VideoFrame) -> None:
        self._size = first.width, first.height
        self._format = first.format.name
        self._colour = int(first.colorspace), int(first.color_range)
        self._scaler = VideoReformatter()
        self._changes: list[str] = []
        self._last = self._kind(first)

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """A frame as it is, or made like the first; its times stay."""
        kind = self._kind(frame)
        if kind != self._last:
            changed = ", ".join(now for now, before in zip(kind, self._last, strict=True) if now != before)
            self._changes.append(f"{changed} at {frame.time:.2f} s")
            self._last = kind
        if (frame.width, frame.height, frame.format.name, *map(int, (frame.colorspace, frame.color_range))) == (
            *self._size,
            self._format,
            *self._colour,
        ):
            return frame
        pts, duration, time_base = frame.pts, frame.duration, frame.time_base
        (space, spread), (width, height) = self._colour, self._size
        made = self._scaler.reformat(
            frame, width, height, self._format, dst_colorspace=space, dst_color_range=spread,
            interpolation=Interpolation.BICUBIC, threads=1,
        )  # fmt: skip
        made.pts, made.duration, made.time_base = pts, duration, time_base
        return made

    def notes(self) -> list[str]:
        """Messages on what changed in mid-stream."""
        if not self._changes:
            return []
        width, height = self._size
        more = f", and {len(self._changes) - 1} more times" if len(self._changes) > 1 else ""
        like = f"made {width}x{height} {self._format} like its beginning"
        return [f"the input's picture changes to {self._changes[0]}{more}: all of it is {like}"]

    @staticmethod
    def _kind(frame: VideoFrame) -> tuple[str, ...]:
        colours = f"colour matrix {int(frame.colorspace)}", f"colour range {int(frame.color_range)}"
        return (f"{frame.width}x{frame.height}", frame.format.name, *colours)


class PictureChain:
    """The way of all frames of one read: one shape, the container's crop, the user's filters."""

    def __init__(
        self,
        first: VideoFrame,
        crop: Crop,
        filters: str,
        rotation_degrees: int,
        rate: Fraction | None,
        aspect: Fraction | None,
    ) -> None:
        """first: as decoded; filters: libavfilter's chain, which sees the picture upright, or "".

        Raises OptionsError for a chain that can't be, and for a crop that leaves nothing.
        """
        self._shape = OneShape(first)
        chain = [filters] if filters else []
        if filters and rotation_degrees:
            chain.insert(0, _UPRIGHT[rotation_degrees])
        if crop:
            width, height = first.width - crop.left - crop.right, first.height - crop.top - crop.bottom
            if width > 0 and height > 0:
                chain.insert(0, f"crop={width}:{height}:{crop.left}:{crop.top}:exact=1")
        self._chain = FilterChain(",".join(chain), first, rate, aspect) if chain else None

    def __call__(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """Frames as they are to be encoded."""
        for frame in frames:
            like_first = self._shape(frame)
            if self._chain is None:
                yield like_first
            else:
                yield from self._chain(like_first)
        if self._chain is not None:
            yield from self._chain(None)

    def notes(self) -> list[str]:
        """Messages on what was done to the pictures."""
        return self._shape.notes()
