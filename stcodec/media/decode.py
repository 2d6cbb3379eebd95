"""Decoding a file: frames with times that can be trusted, and every other stream's packets on the way."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.media.container_facts import container_facts
from stcodec.media.file_decoder import FileDecoder, PacketSink
from stcodec.media.filters import SETS_RATE, is_spatial, split_chain
from stcodec.media.libav import sample_aspect
from stcodec.media.picture import PictureChain
from stcodec.media.probe import is_cover, video_info
from stcodec.media.side_data import side_data, side_data_kinds
from stcodec.media.surround import surround_of
from stcodec.types import VideoInfo
from stcodec.view import WHOLE, View

if TYPE_CHECKING:
    from av.container.core import Chapter

_STEPS_BACK_SECONDS = (0.0, 10.0)
"""A seek may land late: where the index is missing, or on an open GOP, whose first frames can't be decoded."""
_WITHOUT_CLOCK = ("avi", "h264", "hevc", "m4v", "mjpeg", "obu", "ivf", "image2", "rawvideo", "gif")
"""Demuxers whose times are counted or repaired: only reading from the start gives the same ones again."""
_ROUNDING_SECONDS = 0.0015
"""Matroska keeps milliseconds."""
_WRONG_COLOURS = "the input is Dolby Vision of profile 5: only a Dolby decoder makes its colours right, here they are wrong"
_AFTER_END_SECONDS = 2.0
"""Audio of a time may come this much later in a file than its picture."""


class VideoReader:
    """A video file, open for decoding. Opening decodes the first frame, so that what is open can be decoded.

    Frames may be read on one thread while another closes it, as an interrupt does: then reading raises MediaError.

    Raises MediaError for a path that is no file, no video, or a video of which nothing decodes, OptionsError for filters
    that libavfilter does not take.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        export: str = "",
        keep_partial: bool = False,
        view: View = WHOLE,
        from_seconds: float | None = None,
    ) -> None:
        """export: side data the decoder shall export ("mvs", "venc_params"); keep_partial: go on after damage.

        view: the stretch of time and the filters through which the file is seen. from_seconds: frames begin at this time,
        with the times that they have when all are read.
        """
        self.view = view
        self.export = "" if view.filters else export  # they are of the picture before the filters
        self.keep_partial = keep_partial
        self._held: list[Packet[Any]] | None = []
        """Packets of other streams that came before anybody asked for them."""
        self._sink: PacketSink | None = None
        self._from_seconds = from_seconds
        self._given = 0
        self.side_data: set[str] = set()
        """Kinds of side data on the frames that were read so far, by libavutil's names."""
        self._file, raw = self._open(path)
        self.path, self.name = self._file.path, self._file.name
        self.container = self._file.container
        try:
            first = next(raw, None)
            if first is None:
                raise self._nothing()
            self._set_up(first, raw)
        except BaseException:
            self.close()
            raise

    def _set_up(self, first: VideoFrame, raw: Iterator[VideoFrame]) -> None:
        info = video_info(self.container, self.stream, first)
        facts = container_facts(self.path, self.stream.index)
        matrix = side_data(first, "DISPLAYMATRIX")
        self.display_matrix = None if matrix is None else memoryview(matrix).cast("i").tolist()
        """The container's 3x3 display matrix, row by row in libavutil's fixed point; None if it has none."""
        self.facts = facts
        self.surround = surround_of(first)
        """How the picture is of two eyes or of all around, before the filters."""
        filters, rate = self.view.filters, info.frame_rate
        self._picture = PictureChain(first, facts.crop, filters, info.rotation_degrees, rate, info.sample_aspect_ratio)
        since = (self._from_seconds or 0.0) - _near_seconds(self._file)
        self._shown = (one for one in self._picture(self._stretch(chain([first], raw))) if one.time >= since)
        shown = next(self._shown, None)
        if shown is None:
            raise self._nothing()
        self.first_frame: VideoFrame = shown
        self.info: VideoInfo = self._seen(info, shown)
        self.cover_pictures = {packet.stream.index: bytes(packet) for packet in self._held or () if is_cover(packet.stream)}
        """Cover art, encoded, by stream index; containers give it before the first frame."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it may be done again."""
        self._file.close()

    @property
    def stream(self) -> VideoStream:
        """The stream that is decoded. Raises MediaError once the file is closed."""
        return self._file.stream

    def again(self, *, export: str = "", from_seconds: float | None = None) -> VideoReader:
        """The same video in the same view, opened once more: a reader gives its frames once."""
        return VideoReader(
            self.path, export=export, keep_partial=self.keep_partial, view=self.view, from_seconds=from_seconds
        )

    def other_streams(self) -> list[Stream]:
        """Every stream but the one that is decoded."""
        return [stream for stream in self.container.streams if stream.index != self.stream.index]

    @property
    def damaged_packets(self) -> int:
        """Packets that could not be read or decoded, and were passed over."""
        return self._file.damaged_packets

    @property
    def corrupt_frames(self) -> int:
        """Frames that were decoded with errors."""
        return self._file.corrupt_frames

    @property
    def frames_read(self) -> int:
        """Frames that `frames` gave."""
        return self._given

    @property
    def frames_decoded(self) -> int:
        """Frames that were decoded, also those before the beginning of the view."""
        return self._file.frames_read

    @property
    def repaired_times(self) -> int:
        """Frames whose time had to be made up."""
        return self._file.pts.repaired

    @property
    def is_mirrored(self) -> bool:
        """Whether the display matrix mirrors the picture, beside any turn."""
        matrix = self.display_matrix
        return matrix is not None and matrix[0] * matrix[4] - matrix[1] * matrix[3] < 0

    @property
    def reads_from_start(self) -> bool:
        """Whether a frame in the middle can only be had by reading all before it: several are better read in one go."""
        return self.container.format.name in _WITHOUT_CLOCK or not is_spatial(self.view.filters)

    def notes(self) -> list[str]:
        """Messages on what was done to times and pictures so far, and on pictures that can't be right."""
        wrong = [_WRONG_COLOURS] if self.facts.dolby_vision_profile == 5 else []
        return wrong + self._file.notes() + self._picture.notes()

    def frames(self, on_packet: PacketSink | None = None) -> Iterator[VideoFrame]:
        """All frames in presentation order; pts strictly increasing, in ticks of `info.time_base`.

        on_packet takes the packets of all other streams as they come by. Call once. Raises MediaError on damage and on
        a file that ends early, unless keep_partial was given.
        """
        self._pass_on(on_packet)
        for frame in chain([self.first_frame], self._shown):
            self._given += 1
            self.side_data.update(side_data_kinds(frame))
            yield frame
        if self.view.end_seconds is None and self._from_seconds is None:
            self._file.check_end()

    def pass_by(self, on_packet: PacketSink) -> Iterator[None]:
        """Instead of `frames`: on_packet takes the packets of all other streams; stops at each of ours, which is dropped."""
        self._pass_on(on_packet)
        for seconds in self._file.packets():
            if self.view.end_seconds is not None and seconds > self.view.end_seconds + _AFTER_END_SECONDS:
                return
            yield

    def chapters(self) -> list[Chapter]:
        """The chapters of the file as far as they are in this view."""
        start, end = self.view.start_seconds, self.view.end_seconds
        found = []
        for one in self.container.chapters():
            base = one["time_base"] or Fraction(1)
            begins, ends = max(float(one["start"] * base), start), min(float(one["end"] * base), end or math.inf)
            if begins < ends:
                ticks = {"start": round((begins - start) / base), "end": round((ends - start) / base)}
                found.append(cast("Chapter", {**one, **ticks}))
        return found

    def _open(self, path: str | os.PathLike[str]) -> tuple[FileDecoder, Iterator[VideoFrame]]:
        """The file, and its frames from the first that is wanted on."""
        # Filters that look at several frames have to see all from where the view begins.
        wanted = self.view.start_seconds + ((self._from_seconds or 0.0) if is_spatial(self.view.filters) else 0.0)
        for back in _STEPS_BACK_SECONDS if wanted > 0 else ():
            file = self._decoder(path)
            try:
                if file.container.format.name in _WITHOUT_CLOCK or not file.go_to(wanted - back):
                    file.close()
                    break
                frames = file.frames()
                first = _first(frames, wanted, _near_seconds(file))
            except BaseException:
                file.close()
                raise
            if first is not None:
                return file, chain([first], frames)
            file.close()
            self._held = []
        file = self._decoder(path)
        near = _near_seconds(file)
        return file, (frame for frame in file.frames() if wanted <= 0 or frame.time >= wanted - near)

    def _decoder(self, path: str | os.PathLike[str]) -> FileDecoder:
        return FileDecoder(path, self._take, export=self.export, keep_partial=self.keep_partial)

    def _take(self, packet: Packet[Any]) -> None:
        """A packet of another stream comes by."""
        if self._held is None:
            self._deliver(packet)
        else:
            self._held.append(packet)

    def _deliver(self, packet: Packet[Any]) -> None:
        """Give a packet on, at the time that it has in this view."""
        self._file.place(packet)
        sink, base = self._sink, packet.time_base
        if sink is None or base is None:
            return
        start, end = self.view.start_seconds, self.view.end_seconds
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None and not is_cover(packet.stream):
            begins, ends = float(time * base), float((time + (packet.duration or 1)) * base)
            is_early = start > 0 and (begins < start if packet.stream.type == "audio" else ends <= start)
            if is_early or (end is not None and begins >= end):
                return
            if packet.stream.type == "subtitle" and packet.duration:
                packet.duration = round((min(ends, end or ends) - max(begins, start)) / base)
        if start:
            ticks = round(start / base)
            packet.pts = None if packet.pts is None else max(packet.pts - ticks, 0)
            packet.dts = None if packet.dts is None else max(packet.dts - ticks, 0)
        sink(packet)

    def _pass_on(self, on_packet: PacketSink | None) -> None:
        self._sink = on_packet
        held, self._held = self._held or [], None
        for packet in held:
            self._deliver(packet)

    def _stretch(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames before the end of the view, with the times that they have in it."""
        end, shift = self.view.end_seconds, round(self.view.start_seconds / self._file.time_base)
        near = _near_seconds(self._file)
        for frame in frames:
            if end is not None and frame.time >= end - near:
                break
            assert frame.pts is not None
            frame.pts -= shift
            yield frame
        else:
            return
        for seconds in self._file.packets():  # audio that stands behind its picture
            if end is not None and seconds > end + _AFTER_END_SECONDS:
                return

    def _seen(self, info: VideoInfo, shown: VideoFrame) -> VideoInfo:
        """The facts of the video in this view."""
        length = info.duration_seconds
        if length is not None:
            length = max(0.0, min(length, self.view.end_seconds or length) - self.view.start_seconds)
        frames = info.frames
        if frames is not None and length is not None and info.duration_seconds:
            frames = round(frames * length / info.duration_seconds) if self.view != WHOLE else frames
        rate, aspect = info.frame_rate, info.sample_aspect_ratio
        base = shown.time_base or self._file.time_base
        if self.view.filters:
            self.display_matrix = None
            aspect = sample_aspect(shown) or aspect
            if SETS_RATE & {name for name, _ in split_chain(self.view.filters)}:
                rate = 1 / base
                frames = None if length is None else round(length * rate)
        return replace(
            info,
            width_px=shown.width,
            height_px=shown.height,
            time_base=base,
            frame_rate=rate,
            duration_seconds=length,
            frames=frames,
            pix_fmt=shown.format.name,
            bit_depth=shown.format.components[0].bits,
            rotation_degrees=0 if self.view.filters else info.rotation_degrees,
            sample_aspect_ratio=aspect,
            start_seconds=shown.time,
        )

    def _nothing(self) -> MediaError:
        begin = self.view.start_seconds + (self._from_seconds or 0.0)
        if begin > 0 and self._file.frames_read:
            return PastEndError(f"{self.name}: has no frame at {begin:g} s or later")
        codec = self.stream.codec_context.name
        return MediaError(f"{self.name}: no frame of its {codec} video could be decoded")


class PastEndError(MediaError):
    """A video ends before the time that was to be gone to."""


def _first(frames: Iterator[VideoFrame], seconds: float, near: float) -> VideoFrame | None:
    """The first frame from a time on; None if frames before it may be missing, because the seek went too far."""
    seen_before = False
    for frame in frames:
        if frame.time >= seconds - near:
            return frame if seen_before or frame.time <= seconds + near else None
        seen_before = True
    return None


def _near_seconds(file: FileDecoder) -> float:
    """Largest distance of two times of one frame: containers round them."""
    rate = file.stream.average_rate or file.stream.guessed_rate
    rounding = max(_ROUNDING_SECONDS, float(file.time_base) / 2)
    return min(rounding, float(Fraction(1, 2) / rate)) if rate else rounding
