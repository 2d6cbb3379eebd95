"""Encodes made straight through PyAV, without stcodec's sessions, and what can be measured on them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import ThreadType
from av.sidedata.encparams import VideoEncParams, VideoEncParamsType
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from media import Size, luma_of, pictures, psnr
from numpy.typing import NDArray

from stcodec.encoders.carrier import RegionTable, attach
from stcodec.types import BlockGrid, FloatArray

RATE = Fraction(25)


def frames_for(size: Size = (128, 128), count: int = 8, pix_fmt: str = "yuv420p") -> list[av.VideoFrame]:
    """Textured, moving pictures, timed 25 a second; new ones at each call, for offsets stay on a frame."""
    frames = []
    for number, rgb in enumerate(pictures(size, count)):
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
        frame.pts, frame.time_base = number, 1 / RATE
        frames.append(frame)
    return frames


def halves(grid: BlockGrid, delta_qp: float) -> FloatArray:
    """Offsets [rows, cols]: better by delta_qp on the left half, worse by it on the right."""
    left = np.arange(grid.cols) < grid.cols // 2
    return np.where(left, -delta_qp, delta_qp).astype(np.float32) * np.ones(grid.shape, np.float32)


def encode_frames(
    encoder: str, options: Mapping[str, str], frames: Iterable[av.VideoFrame], delta_qp: float | None, bitrate: int = 0
) -> list[bytes]:
    """The packets of an encode on one thread, with `halves` attached to every frame, or nothing."""
    context: VideoCodecContext | None = None
    packets: list[bytes] = []
    for frame in frames:
        if context is None:
            context = _opened(encoder, options, frame, bitrate)
            grid = BlockGrid(frame.width, frame.height, 16)
            depth = frame.format.components[0].bits
            regions = None if delta_qp is None else RegionTable(grid, 51 + 6 * (depth - 8)).fill(halves(grid, delta_qp))
        if regions is not None:
            attach(frame, regions)
        packets += map(bytes, context.encode(frame))
    assert context is not None
    return packets + [bytes(packet) for packet in context.encode(None)]


def _opened(encoder: str, options: Mapping[str, str], first: av.VideoFrame, bitrate: int) -> VideoCodecContext:
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = first.width, first.height, first.format.name
    context.framerate, context.time_base = RATE, 1 / RATE
    context.thread_count, context.thread_type = 1, ThreadType.FRAME
    if bitrate:
        context.bit_rate = bitrate
    context.options = dict(options)
    return context


def decode_packets(codec: str, packets: Sequence[bytes]) -> list[NDArray[np.uint8] | NDArray[np.uint16]]:
    """The luma of the frames in a list of packets."""
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, VideoCodecContext)
    found = [frame for data in packets for frame in context.decode(av.Packet(data))]
    return [luma_of(frame).copy() for frame in [*found, *context.decode(None)]]


def left_gain_db(codec: str, plain: Sequence[bytes], guided: Sequence[bytes], originals: Sequence[av.VideoFrame]) -> float:
    """By how many dB more the left half gained than the right one, from the plain encode to the guided; mean over frames."""

    def lead(packets: Sequence[bytes]) -> float:
        decoded = decode_packets(codec, packets)
        assert len(decoded) == len(originals)
        pairs = [(luma, luma_of(frame)) for luma, frame in zip(decoded, originals, strict=True)]
        middle = pairs[0][0].shape[1] // 2
        left = [psnr(ours[:, :middle], theirs[:, :middle]) for ours, theirs in pairs]
        right = [psnr(ours[:, middle:], theirs[:, middle:]) for ours, theirs in pairs]
        return float(np.mean(left) - np.mean(right))

    return lead(guided) - lead(plain)


def main_packets(path: Path) -> Iterator[av.Packet[av.VideoStream]]:
    """The packets of a file's video, cover art left out, in the order of the file."""
    with av.open(str(path)) as container:
        stream = next(one for one in container.streams.video if not one.disposition & Disposition.attached_pic)
        yield from (packet for packet in container.demux(stream) if packet.size)


def video_hashes(path: Path) -> list[str]:
    """The SHA-256 of each packet of a file's video."""
    return [hashlib.sha256(bytes(packet)).hexdigest() for packet in main_packets(path)]


# --- QPs as PyAV reads them: nothing of stcodec's own read-back ------------------------------------------------------


def qps_of(frame: av.VideoFrame) -> NDArray[np.int32] | None:
    """[rows, cols] the QP of each macroblock (H.264), or the quantiser index of each 8 px block (VP9); None = not exported.

    The frame must come from a decoder with export_side_data=venc_params.
    """
    params = frame.side_data.get("VIDEO_ENC_PARAMS")
    if not isinstance(params, VideoEncParams) or not params.nb_blocks:
        return None
    if params.codec_type == VideoEncParamsType.H264:
        return params.qp_map()
    found = np.full((-(-frame.height // 8), -(-frame.width // 8)), -1, np.int32)
    for block in map(params.block_params, range(params.nb_blocks)):
        found[block.src_y // 8 : -(-(block.src_y + block.h) // 8), block.src_x // 8 : -(-(block.src_x + block.w) // 8)] = (
            min(params.qp + block.delta_qp, 255)
        )
    return found


def packet_qps(codec: str, packets: Sequence[bytes]) -> list[NDArray[np.int32] | None]:
    """`qps_of` for the frames in a list of packets."""
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, VideoCodecContext)
    context.options = {"export_side_data": "venc_params"}
    found = [frame for data in packets for frame in context.decode(av.Packet(data))]
    return [qps_of(frame) for frame in [*found, *context.decode(None)]]


def coded_qps(path: Path) -> dict[Fraction, tuple[bool, NDArray[np.int32] | None]]:
    """For each frame of a file, by its time: whether it is a key frame, and `qps_of`."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"export_side_data": "venc_params"}
        return {
            Fraction(frame.time).limit_denominator(10**6): (frame.key_frame, qps_of(frame))
            for frame in container.decode(stream)
        }
