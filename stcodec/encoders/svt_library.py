"""SVT-AV1's own library, the one that PyAV has loaded, through its public C interface: ffmpeg never gives it a map.

What is declared here are the four small structures of EbSvtAv1.h that pictures travel in; they have kept their layout from
3.0 to 4.1. The configuration stays opaque: it is filled by `svt_av1_enc_parse_parameter`. One switch has no name there,
`enable_roi_map`: it is the byte before `tf_strength`, whose place is found by setting that parameter twice.
`works` says whether all this is so of the library in hand; it is tried in a process of its own, where it may crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.errors import EncoderError, OptionsError
from stcodec.media.libav import libav

KNOWN_VERSIONS = ((3, 0), (4, 1))
"""Oldest and newest that the layout was checked with."""
SEGMENTS = 8
_CONFIGURATION_BYTES = 16_384
"""Far more than the 536 of 4.1: the library clears and fills what it knows."""
_ROI_MAP_EVENT = 2
_KEY_PICTURE, _ANY_PICTURE = 3, 0xFF
_END_OF_STREAM = 1
_NOTHING_READY = 0x80002033
_TRIAL_SECONDS = 60
_HIGHEST = 99
"""Priority of the library's threads."""


class _Planes(ctypes.Structure):
    """EbSvtIOFormat: addresses, and strides in samples."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("luma", "cb", "cr")),
        *((name, ctypes.c_uint32) for name in ("y_stride", "cr_stride", "cb_stride")),
    )


class _Buffer(ctypes.Structure):
    """EbBufferHeaderType."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("p_buffer", ctypes.c_void_p),
        ("n_filled_len", ctypes.c_uint32),
        ("n_alloc_len", ctypes.c_uint32),
        ("p_app_private", ctypes.c_void_p),
        ("wrapper_ptr", ctypes.c_void_p),
        ("n_tick_count", ctypes.c_uint32),
        ("dts", ctypes.c_int64),
        ("pts", ctypes.c_int64),
        ("temporal_layer_index", ctypes.c_uint8),
        ("qp", ctypes.c_uint32),
        ("avg_qp", ctypes.c_uint32),
        ("pic_type", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("luma_sse", "cr_sse", "cb_sse")),
        ("flags", ctypes.c_uint32),
        *((name, ctypes.c_double) for name in ("luma_ssim", "cr_ssim", "cb_ssim")),
        ("metadata", ctypes.c_void_p),
    )


class _MapEvent(ctypes.Structure):
    """SvtAv1RoiMapEvt."""

    _fields_ = (
        ("start_picture_number", ctypes.c_uint64),
        ("b64_seg_map", ctypes.c_void_p),
        ("seg_qp", ctypes.c_int16 * SEGMENTS),
        ("max_seg_id", ctypes.c_int8),
        ("next", ctypes.c_void_p),
    )


class _Node(ctypes.Structure):
    """EbPrivDataNode."""

    _fields_ = (
        ("node_type", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_uint32),
        ("next", ctypes.c_void_p),
    )


@dataclass(frozen=True)
class Segments:
    """A map: which blocks have which offset."""

    ids: NDArray[np.uint8]
    """[rows, cols] of the 64x64 blocks."""
    qindex: NDArray[np.int16]
    """[segments] what is added to the frame's base_q_idx; at most 8, falling as in the library's own program."""


class SvtEncoder:
    """One encode. Close it: its threads live on otherwise."""

    def __init__(self, params: Mapping[str, str], *, takes_maps: bool) -> None:
        """params: by the library's own names, in their order. Raises OptionsError for what it refuses."""
        self._library = _library()
        self._handle = ctypes.c_void_p()
        self._kept: dict[int, tuple[object, ...]] = {}
        """Maps by the time of their picture: the library keeps pointers to them."""
        self._ended = False
        configuration = (ctypes.c_uint8 * _CONFIGURATION_BYTES)()
        if self._library.svt_av1_enc_init_handle(ctypes.byref(self._handle), configuration) or not self._handle:
            raise EncoderError("SVT-AV1: no memory for an encoder")
        for name, value in params.items():
            if _parse(self._library, configuration, name, value):
                raise OptionsError(f"SVT-AV1 refuses {name}={value}")
        if takes_maps:
            configuration[_map_switch(self._library)] = 1
        refused = self._library.svt_av1_enc_set_parameter(self._handle, configuration)
        if refused or self._library.svt_av1_enc_init(self._handle):
            self._library.svt_av1_enc_deinit_handle(self._handle)
            self._handle = ctypes.c_void_p()
            raise OptionsError(f"SVT-AV1 can't be opened with {dict(params)}")
        lower_threads()

    def close(self) -> None:
        """Stop its threads and free its memory."""
        if self._handle:
            self._library.svt_av1_enc_deinit(self._handle)
            self._library.svt_av1_enc_deinit_handle(self._handle)
            self._handle = ctypes.c_void_p()

    __del__ = close

    def send(self, frame: VideoFrame, *, key: bool = False, segments: Segments | None = None) -> None:
        """Encode a frame in 4:2:0; it is copied. A map holds from this frame on."""
        assert frame.pts is not None
        luma, cb, cr = frame.planes
        sample_bytes = 2 if frame.format.components[0].bits > 8 else 1
        strides = (plane.line_size // sample_bytes for plane in (luma, cr, cb))
        planes = _Planes(luma.buffer_ptr, cb.buffer_ptr, cr.buffer_ptr, *strides)
        filled = sum(plane.buffer_size for plane in frame.planes)
        buffer = _Buffer(size=ctypes.sizeof(_Buffer), n_filled_len=filled, pts=frame.pts)
        buffer.p_buffer = ctypes.addressof(planes)
        buffer.pic_type = _KEY_PICTURE if key else _ANY_PICTURE
        if segments is not None:
            buffer.p_app_private = ctypes.addressof(self._node(frame.pts, segments))
        if self._library.svt_av1_enc_send_picture(self._handle, ctypes.byref(buffer)):
            raise EncoderError("SVT-AV1 refused a picture")

    def packets(self) -> Iterator[Packet[Any]]:
        """Packets that are ready; in low delay, those of the last frame."""
        while (packet := self._receive(ended=False)) is not None:
            yield packet
            return  # one for each frame that goes in: in low delay asking for more would wait for ever

    def rest(self) -> Iterator[Packet[Any]]:
        """End the stream, and all that is still to come."""
        last = _Buffer(pic_type=_ANY_PICTURE, flags=_END_OF_STREAM)
        self._library.svt_av1_enc_send_picture(self._handle, ctypes.byref(last))
        while not self._ended and (packet := self._receive(ended=True)) is not None:
            yield packet

    def _receive(self, *, ended: bool) -> Packet[Any] | None:
        pointer = ctypes.POINTER(_Buffer)()
        said = self._library.svt_av1_enc_get_packet(self._handle, ctypes.byref(pointer), int(ended)) & 0xFFFF_FFFF
        if said == _NOTHING_READY:
            return None
        if said or not pointer:
            raise EncoderError(f"SVT-AV1 failed (0x{said:x})")
        found = pointer.contents
        self._ended = bool(found.flags & _END_OF_STREAM)
        packet: Packet[Any] | None = None
        if found.n_filled_len:
            packet = Packet(ctypes.string_at(found.p_buffer, found.n_filled_len))
            packet.pts, packet.dts, packet.is_keyframe = found.pts, found.dts, found.pic_type == _KEY_PICTURE
            over = sorted(one for one in self._kept if one < found.pts)
            for pts in over[:-1]:  # the last of them may still hold
                del self._kept[pts]
        self._library.svt_av1_enc_release_out_buffer(ctypes.byref(pointer))
        return packet

    def _node(self, pts: int, segments: Segments) -> _Node:
        ids = (ctypes.c_uint8 * segments.ids.size).from_buffer_copy(np.ascontiguousarray(segments.ids).tobytes())
        offsets = (ctypes.c_int16 * SEGMENTS)(*segments.qindex.tolist())
        event = _MapEvent(0, ctypes.addressof(ids), offsets, len(segments.qindex) - 1, None)
        node = _Node(_ROI_MAP_EVENT, ctypes.addressof(event), ctypes.sizeof(ctypes.c_void_p), None)
        self._kept[pts] = (ids, event, node)
        return node


def lower_threads() -> None:
    """Make ordinary threads of those that the library has made real-time ones, of highest priority.

    Where it may, as root, it does so with all its own and with the one that opened it: everything else on the machine
    would have to wait for an encode. No parameter turns that off.
    """
    if sys.platform != "linux":
        return
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            number = int(task.name)
            if os.sched_getscheduler(number) == os.SCHED_FIFO and os.sched_getparam(number).sched_priority == _HIGHEST:
                os.sched_setscheduler(number, os.SCHED_OTHER, os.sched_param(0))


@cache
def works() -> str:
    """Reason why the loaded library takes no maps; "" if it does. Tried once, in a process of its own."""
    found = version()
    if why := unknown_version(found):
        return why
    text = ".".join(map(str, found or ()))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "stcodec.encoders.svt_library"], capture_output=True, timeout=_TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"SVT-AV1 {text} could not be tried ({type(error).__name__})"
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode == 0 and said == "ok":
        return ""
    return f"SVT-AV1 {text} did not pass the trial of its map ({said or f'exit status {done.returncode}'})"


def unknown_version(found: tuple[int, ...] | None) -> str:
    """Reason why a library of that version is not tried; "" if it is."""
    if found is None:
        return "PyAV's libSvtAv1Enc was not found"
    low, high = KNOWN_VERSIONS
    if low <= found[:2] <= high:
        return ""
    known = " to ".join(".".join(map(str, one)) for one in KNOWN_VERSIONS)
    return f"its library is SVT-AV1 {'.'.join(map(str, found))}, and only {known} were checked"


@cache
def version() -> tuple[int, ...] | None:
    """Version of the library that PyAV has loaded; None if it is not found."""
    library = libav("SvtAv1Enc")
    if library is None:
        return None
    library.svt_av1_get_version.restype = ctypes.c_char_p
    match = re.match(rb"v?(\d+)\.(\d+)(?:\.(\d+))?", library.svt_av1_get_version() or b"")
    return tuple(int(one) for one in match.groups(b"0")) if match else None


def _library() -> ctypes.CDLL:
    library = libav("SvtAv1Enc")
    if library is None:
        raise EncoderError("PyAV's libSvtAv1Enc was not found")
    library.svt_av1_enc_send_picture.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.svt_av1_enc_get_packet.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint8]
    library.svt_av1_enc_set_parameter.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    for name in ("init", "deinit", "deinit_handle"):
        getattr(library, f"svt_av1_enc_{name}").argtypes = [ctypes.c_void_p]
    return library


def _parse(library: ctypes.CDLL, configuration: ctypes.Array[ctypes.c_uint8], name: str, value: str) -> int:
    return int(library.svt_av1_enc_parse_parameter(configuration, name.encode(), value.encode()))


@cache
def _map_switch(library: ctypes.CDLL) -> int:
    """The place of `enable_roi_map`: the byte before the one that `tf-strength` changes. Raises EncoderError."""
    handle, seen = ctypes.c_void_p(), []
    configuration = (ctypes.c_uint8 * _CONFIGURATION_BYTES)()
    if library.svt_av1_enc_init_handle(ctypes.byref(handle), configuration):
        raise EncoderError("SVT-AV1: no memory for an encoder")
    library.svt_av1_enc_deinit_handle(handle)
    for value in ("1", "2"):
        if _parse(library, configuration, "tf-strength", value):
            raise EncoderError("SVT-AV1 has no tf-strength to find its map by")
        seen.append(bytes(configuration))
    changed = [place for place, (one, other) in enumerate(zip(*seen, strict=True)) if one != other]
    if len(changed) != 1 or changed[0] == 0 or seen[0][changed[0]] != 1 or seen[0][changed[0] - 1] != 0:
        raise EncoderError("SVT-AV1's configuration is laid out in a way that is not known")
    return changed[0] - 1


def _trial() -> str:
    """Reason why maps don't work; "ok" if they do. A crash counts as one."""
    plain = _encode(maps=None, takes_maps=False)
    if plain != _encode_by_pyav():
        return "without a map its bytes are not those of PyAV's encoder"
    if _encode(maps=_HALF, takes_maps=False) != plain:
        return "a map counts though it is switched off"
    guided = _encode(maps=_HALF, takes_maps=True)
    pairs = zip(_errors(guided), _errors(plain), strict=True)
    left, right = (float(10 * np.log10(ours / theirs)) for ours, theirs in pairs)
    if not (left > 1 and abs(right) < 0.5):
        return f"a map for the left half changes the error there by {left:.1f} dB and by {right:.1f} dB elsewhere"
    return "ok"


_SIDE_PX, _TRIAL_FRAMES = 256, 8
_HALF = Segments(np.repeat([[0, 0, 1, 1]], 4, axis=0).astype(np.uint8), np.array([64, 0], np.int16))
_TRIAL_PARAMS = {
    "preset": "11", "rc": "0", "crf": "30", "enable-force-key-frames": "1", "irefresh-type": "2",
    "fps-num": "25", "fps-denom": "1", "width": str(_SIDE_PX), "height": str(_SIDE_PX), "input-depth": "8",
}  # fmt: skip


def _pictures() -> Iterator[VideoFrame]:
    noise = np.random.default_rng(0).normal(128, 60, (_SIDE_PX, _SIDE_PX))
    for _ in range(3):
        noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / 3
    texture = np.clip(128 + 3 * (noise - 128), 0, 255).astype(np.uint8)
    for number in range(_TRIAL_FRAMES):
        frame = VideoFrame.from_ndarray(np.roll(texture, number, 0), format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        yield frame


def _encode(*, maps: Segments | None, takes_maps: bool) -> list[bytes]:
    encoder, packets = SvtEncoder(_TRIAL_PARAMS, takes_maps=takes_maps), list[bytes]()
    for frame in _pictures():
        encoder.send(frame, segments=maps)
        packets += map(bytes, encoder.packets())
    packets += map(bytes, encoder.rest())
    encoder.close()
    return packets


def _encode_by_pyav() -> list[bytes]:
    context = av.CodecContext.create("libsvtav1", "w")
    assert isinstance(context, VideoCodecContext)
    context.width = context.height = _SIDE_PX
    context.pix_fmt, context.framerate, context.time_base = "yuv420p", Fraction(25), Fraction(1, 25)
    context.options = {"preset": _TRIAL_PARAMS["preset"], "crf": _TRIAL_PARAMS["crf"]}
    packets = [bytes(packet) for frame in _pictures() for packet in context.encode(frame)]
    return packets + [bytes(packet) for packet in context.encode(None)]


def _errors(packets: Iterable[bytes]) -> tuple[float, float]:
    """Mean squared error of the left and of the right half."""
    decoder = av.CodecContext.create("libdav1d", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoded = [frame for data in packets for frame in decoder.decode(Packet(data))] + decoder.decode(None)
    squares = [
        (np.float32(ours.to_ndarray(format="gray")) - frame.to_ndarray(format="gray")) ** 2
        for ours, frame in zip(decoded, _pictures(), strict=True)
    ]
    half = _SIDE_PX // 2
    mean = np.mean(squares, axis=0)
    return float(mean[:, :half].mean()), float(mean[:, half:].mean())


if __name__ == "__main__":
    print(_trial())
