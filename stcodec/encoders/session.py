"""One run of an encoder: frames with offsets go in, packets come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import ThreadType
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from stcodec.encoders.carrier import RegionTable, attach
from stcodec.encoders.levels import quantise_levels
from stcodec.encoders.plan import EncoderPlan
from stcodec.errors import OUT_OF_RESOURCES, EncoderError, OptionsError
from stcodec.types import Colour, FloatArray

_FALLBACK_RATE = Fraction(25)
_BT601_SPACE = 5
"""The matrix with which swscale turns RGB into YUV (SWS_CS_DEFAULT), as a colour tag."""
_FULL_RANGE = 2


class EncoderSession:
    """An open encoder. `target` is a stream of an output container, or None for an encode that is not muxed.

    Offsets None is the plain encode, on the same code path. An encoder that was opened for offsets takes them with every
    frame: libx265 keeps those of an earlier frame otherwise.
    """

    def __init__(self, plan: EncoderPlan, target: VideoStream | None = None) -> None:
        if plan.searched_kbps is not None:
            way = "stcodec.encode searches a crf for it"
            raise plan.encoder.refusal("a bitrate", "its rate control ignores the map", way)
        self.plan = plan
        """With the CRF of the frame that was sent last."""
        context = target.codec_context if target is not None else av.CodecContext.create(plan.encoder.name, "w")
        assert isinstance(context, VideoCodecContext)
        self._encoder: VideoStream | VideoCodecContext = target if target is not None else context
        _configure(context, plan)
        self._driver = plan.encoder.driver(context, plan.grid) if plan.has_offsets else None
        self._target = target
        self._first_plan, self._shift_qp = plan, 0.0
        _open(context, plan)
        self._regions = RegionTable(plan.grid, plan.qp_range, plan.encoder.whole_units) if plan.has_offsets else None
        self._frames = 0
        self._asked: FloatArray | None = None
        self._levels: FloatArray | None = None
        self.given: FloatArray | None = None
        """[rows, cols]: the offsets of the frame that was sent last."""
        self._durations: dict[int, int] = {}
        """How long each frame in the encoder is shown, by its pts, in ticks: encoders give most packets none."""
        self._last_pts: int | None = None

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Encode with another bitrate from the next frame on, at most the peak that the plan has. Raises OptionsError."""
        if not self.plan.encoder.changes_bitrate:
            raise OptionsError(f"{self.plan.encoder.name} can't change its bitrate while it runs: end it, and begin anew")
        context = self._encoder if isinstance(self._encoder, VideoCodecContext) else self._encoder.codec_context
        context.bit_rate = bitrate_bps  # ffmpeg's wrapper compares it before each frame

    def send(
        self, frame: VideoFrame, delta_qp: FloatArray | None, *, shift_qp: float = 0.0, key: bool = False
    ) -> Sequence[Packet[Any]]:
        """Encode a frame with offsets [rows, cols] in QP steps on the plan's grid, or None; the packets that are ready.

        They are brought to as many levels as the plan has, in `given`.

        shift_qp: added to all of them then; where a plan shifts the CRF, to that: another shift begins a new encoder.
        key: it must become a key frame; else the encoder chooses.
        """
        self._note_duration(frame)
        ended = self._begin_anew(shift_qp) if self.plan.shifts_crf and shift_qp != self._shift_qp else ()
        frame.pict_type = PictureType.I if key else PictureType.NONE  # the source's frame types are not ours
        if self._regions is not None:
            self._give(frame, delta_qp, 0.0 if self.plan.shifts_crf else shift_qp)
        self._frames += 1
        return [*ended, *self._run(frame)]

    def _give(self, frame: VideoFrame, delta_qp: FloatArray | None, shift_qp: float) -> None:
        """Give a frame its offsets."""
        assert self._regions is not None
        if delta_qp is None:
            raise EncoderError(f"{self.plan.encoder.name}: the frame at {frame.time:.3f} s came without offsets")
        if frame.interlaced_frame and not self.plan.encoder.offsets_on_interlaced:
            raise EncoderError(
                f"the frame at {frame.time:.3f} s is interlaced: {self.plan.encoder.name} drops the offsets of such "
                "frames; deinterlace the video first, or encode with --attention none"
            )
        self.given = self._quantised(delta_qp) + np.float32(shift_qp)
        if self._driver is None:
            attach(frame, self._regions.fill(self.given))
        else:
            self.given = self._driver.applied(self.given)

    def _begin_anew(self, shift_qp: float) -> Sequence[Packet[Any]]:
        """Open an encoder with another CRF; the packets still in the one before."""
        ended = self._run(None) if self._frames else ()
        encoder, self._shift_qp = self.plan.encoder, shift_qp
        low, high = encoder.crf_range
        self.plan = self._first_plan.at_crf(round(min(max(float(self._first_plan.options["crf"]) + shift_qp, low), high)))
        context = av.CodecContext.create(encoder.name, "w")
        assert isinstance(context, VideoCodecContext)
        _configure(context, self.plan)
        if self.plan.has_offsets:
            self._driver = encoder.driver(context, self.plan.grid)
        else:
            _open(context, self.plan)
            self._encoder = context
        return ended

    def _quantised(self, delta_qp: FloatArray) -> FloatArray:
        if self.plan.levels is None:
            return delta_qp
        if self._levels is None or not np.array_equal(delta_qp, self._asked):  # type: ignore[arg-type]
            self._asked, self._levels = delta_qp.copy(), quantise_levels(delta_qp, self.plan.levels)
        return self._levels

    def flush(self) -> Sequence[Packet[Any]]:
        """The packets still in the encoder."""
        return self.plan.encoder.finished(self._run(None), self._frames)

    @property
    def header(self) -> bytes:
        """The stream header, where the container keeps it apart from the packets; else empty."""
        encoder = self._encoder
        context = encoder.codec_context if isinstance(encoder, VideoStream) else encoder
        return bytes(context.extradata or b"")

    def _run(self, frame: VideoFrame | None) -> Sequence[Packet[Any]]:
        try:
            packets = self._packets(frame)
        except (FFmpegError, OSError) as error:
            where = "at the end" if frame is None else f"at {frame.time:.3f} s"
            raise EncoderError(f"{self.plan.encoder.name} failed {where}: {error.strerror or error}") from None
        for packet in packets:
            if packet.pts is not None and (ticks := self._durations.pop(packet.pts, 0)):
                packet.duration = ticks
        return packets

    def _packets(self, frame: VideoFrame | None) -> Sequence[Packet[Any]]:
        if self._driver is None:
            packets: Sequence[Packet[Any]] = self._encoder.encode(frame)
        elif frame is None:
            packets = self._driver.flush()
        else:
            assert self.given is not None
            packets = self._driver.send(frame, self.given, key=frame.pict_type == PictureType.I)
        for packet in packets:
            if self._target is not None and packet.stream is not self._target:
                packet.stream = self._target
        return packets

    def _note_duration(self, frame: VideoFrame) -> None:
        """A frame is shown until the next begins; the last, for as long as its container says."""
        if frame.pts is None:
            return
        if self._last_pts in self._durations:
            self._durations[self._last_pts] = frame.pts - self._last_pts
        self._durations[frame.pts] = frame.duration
        self._last_pts = frame.pts


def _configure(context: VideoCodecContext, plan: EncoderPlan) -> None:
    video = plan.video
    context.width, context.height, context.pix_fmt = video.width_px, video.height_px, plan.pix_fmt
    context.framerate = video.frame_rate or _FALLBACK_RATE
    # The source's own clock, so that variable frame rates keep their exact times.
    context.time_base = video.time_base
    context.thread_type = ThreadType.SLICE if plan.is_live else ThreadType[plan.encoder.thread_type]
    context.thread_count = plan.threads
    if video.sample_aspect_ratio:
        context.sample_aspect_ratio = video.sample_aspect_ratio
    colour = _coded_colour(plan)
    context.color_range, context.color_primaries = colour.range, colour.primaries
    context.color_trc, context.colorspace = colour.transfer, colour.space
    if plan.bitrate_bps:
        context.bit_rate = plan.bitrate_bps
    if plan.keyint is not None:
        context.gop_size = plan.keyint
    context.options = dict(plan.options)


def _coded_colour(plan: EncoderPlan) -> Colour:
    """The colour tags that are true of what is coded: the source's, unless its pictures are converted."""
    colour, source = plan.video.colour, av.VideoFormat(plan.video.pix_fmt)
    if source.is_rgb or source.name == "pal8":
        return replace(colour, space=_BT601_SPACE)
    if colour.range == 0 and source.name.startswith("gray") and plan.pix_fmt.startswith("gray"):
        return replace(colour, range=_FULL_RANGE)  # untagged gray is, but H.264 and HEVC are not
    return colour


def _open(context: VideoCodecContext, plan: EncoderPlan) -> None:
    """Open the encoder now, so that what it won't take is said before the first frame."""
    name = plan.encoder.name
    before = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as lines:
            context.open()
            plan.encoder.opened()
    except FFmpegError as error:
        if error.errno in OUT_OF_RESOURCES:
            raise EncoderError(f"{name} can't be opened ({error.strerror})", errno=error.errno) from None
        said = "; ".join(text.strip() for level, _, text in lines if level <= av.logging.ERROR and text.strip())
        if not said:  # encoders say what is wrong with options
            raise EncoderError(f"{name} can't be opened ({error.strerror}): is there enough memory?") from None
        raise OptionsError(f"{name} can't be opened with {dict(plan.options)}: {said}", value=dict(plan.options)) from None
    finally:
        av.logging.set_level(before)
    unknown = [key for key in context.options if key in plan.options]
    refused = [text.strip() for _, _, text in lines if "Error parsing option" in text or "Unknown option" in text]
    if unknown or refused:
        what = "; ".join(refused) or "unknown option " + ", ".join(f"{key}={plan.options[key]}" for key in unknown)
        raise OptionsError(f"{name}: {what}; `ffmpeg -h encoder={name}` lists what there is")
