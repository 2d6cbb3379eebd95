"""Read-back of the newest key frames, about once a second on a thread of low priority: what the map achieved."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import asdict, dataclass, replace

import av
import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.encoders.readback import EXPORT, qp_blocks
from stcodec.encoders.table import encoder_of
from stcodec.stream.observe.key_bits import macroblock_bits
from stcodec.stream.observe.snapshot import RenditionState
from stcodec.types import Arrays, BlockGrid, FloatArray

ATTENDED_SHARE = 0.2
_NICE = 10
_LEAST_SPREAD = 0.5
"""QP steps: offsets that vary less have no slope that could be told from the encoder's rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class KeyFrame(Arrays):
    """A key frame as it left its encoder, and what it was given."""

    codec: str
    header: bytes
    data: bytes
    grid: BlockGrid
    blocks: FloatArray
    """[rows, cols] saliency on the grid."""
    delta_qp: FloatArray
    """[rows, cols] offsets made of it."""


@dataclass(frozen=True)
class KeyFrameMeasures:
    """Measures of one key frame, named as in `RenditionState`."""

    mean_qp_attended: float
    mean_qp_elsewhere: float
    bits_attended: float | None
    """None where it can't be estimated: not H.264."""
    offsets_slope: float | None
    """None where the offsets are all but the same everywhere."""


@dataclass(frozen=True, eq=False, repr=False)
class DecodedKey(Arrays):
    """A key frame, decoded without the deblocking filter."""

    qp: FloatArray
    """[rows, cols]."""
    luma: NDArray[np.uint8] | None
    """[H, W] of whole blocks, the last ones filled up; None if it has not 8 bits."""


class ReadBack:
    """Reader of the newest key frame of each rendition. Safe from any thread."""

    def __init__(self, every_seconds: float = 1.0) -> None:
        self._every_seconds = every_seconds
        self._waiting: dict[int, KeyFrame] = {}
        self._newest: dict[int, KeyFrameMeasures] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)
        self._thread.start()

    def offer(self, rendition: int, key: KeyFrame) -> None:
        """Take a key frame; one that has not been read yet is forgotten. Never waits."""
        with self._lock:
            self._waiting[rendition] = key

    def newest(self, rendition: int) -> KeyFrameMeasures | None:
        """The newest measures; None before the first, or if the codec tells nothing."""
        with self._lock:
            return self._newest.get(rendition)

    def fill(self, rendition: int, state: RenditionState) -> RenditionState:
        """The state with what was read last; as it is before the first, or if its codec tells nothing."""
        reading = self.newest(rendition)
        return state if reading is None else replace(state, **asdict(reading))

    def close(self) -> None:
        """Read what waits, and end."""
        self._closed.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        if sys.platform == "linux":  # where threads have a priority of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while not self._closed.wait(self._every_seconds):
            self._read_waiting()
        self._read_waiting()

    def _read_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for rendition, key in waiting.items():
            reading = read(key)
            if reading is not None:
                with self._lock:
                    self._newest[rendition] = reading


def read(key: KeyFrame) -> KeyFrameMeasures | None:
    """Decode a key frame and measure its blocks; None if the codec tells nothing."""
    found = decode_key(key)
    if found is None:
        return None
    qp, luma = found.qp, found.luma
    attended = attended_weights(key.blocks)
    elsewhere = 1 - attended
    bits = None
    encoder = encoder_of(key.codec)
    if encoder is not None and encoder.has_macroblocks and luma is not None:
        spread = macroblock_bits(luma, qp)
        bits = float((spread * attended).sum() / spread.sum())
    return KeyFrameMeasures(
        float((qp * attended).sum() / attended.sum()),
        float((qp * elsewhere).sum() / elsewhere.sum()),
        bits,
        _slope(key.delta_qp, qp, luma),
    )


def attended_weights(blocks: FloatArray) -> FloatArray:
    """[rows, cols]: 1 in the most attended fifth, 0 elsewhere; equal blocks at its edge share what is left."""
    count = ATTENDED_SHARE * blocks.size
    edge = np.sort(blocks, axis=None)[blocks.size - max(1, round(count))]
    above, at_edge = blocks > edge, blocks == edge
    share = (count - float(above.sum())) / float(at_edge.sum())
    return np.asarray(above + share * at_edge, np.float32)


def decode_key(key: KeyFrame) -> DecodedKey | None:
    """The picture as the encoder predicted from it, and the QP of its blocks; None if that can't be told."""
    context = av.CodecContext.create(key.codec, "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = key.header or None
    context.thread_count = 1
    context.options = {"export_side_data": EXPORT, "skip_loop_filter": "all"}
    try:
        frames = [*context.decode(Packet(key.data)), *context.decode(None)]
    except (FFmpegError, OSError):
        return None
    qp = qp_blocks(frames[0], key.grid) if frames else None
    return None if qp is None or not np.isfinite(qp).all() else DecodedKey(qp, _luma(frames[0], key.grid))


def _luma(frame: VideoFrame, grid: BlockGrid) -> NDArray[np.uint8] | None:
    if frame.format.components[0].bits != 8 or frame.format.is_rgb:
        return None
    plane = frame.planes[0]
    luma = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    below, right = (cells * grid.block_px - side for cells, side in zip(grid.shape, luma.shape, strict=True))
    return np.pad(luma, ((0, below), (0, right)), mode="edge")


def _slope(delta_qp: FloatArray, qp: FloatArray, luma: NDArray[np.uint8] | None) -> float | None:
    """QP steps there for each asked for, by least squares.

    The encoder's own adaptive quantisation goes with the logarithm of a block's variance; it is fitted along, lest it be
    taken for the map's doing where people look at what has detail.
    """
    if float(delta_qp.std()) < _LEAST_SPREAD:
        return None
    columns = [np.ones(delta_qp.size, np.float32), delta_qp.ravel()]
    if luma is not None:
        columns.append(np.log2(1 + _variance(luma, delta_qp.shape)).ravel())
    fitted, *_ = np.linalg.lstsq(np.stack(columns, axis=1), qp.ravel())
    return float(fitted[1])


def _variance(luma: NDArray[np.uint8], shape: tuple[int, ...]) -> FloatArray:
    """[rows, cols] of each block."""
    rows, cols = shape
    blocks = luma.reshape(rows, luma.shape[0] // rows, cols, luma.shape[1] // cols)
    return np.asarray(blocks.var(axis=(1, 3)), np.float32)
