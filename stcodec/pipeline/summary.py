"""Counts of an encode, and the report made of them."""

from __future__ import annotations

import dataclasses
import platform
from array import array
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import stcodec
from stcodec.encoders.encoder import Encoder
from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.verify import Requested
from stcodec.media.decode import VideoReader
from stcodec.media.output import atomic_output
from stcodec.media.packets import library_versions
from stcodec.media.paths import display_name, file_error
from stcodec.options import EncodeOptions, RunOptions
from stcodec.pipeline.attend import AttentionCounts
from stcodec.report import Checks, EncodeReport, OffsetsApplied
from stcodec.types import FloatArray, VideoInfo

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_MOST_SAMPLES = 16


@dataclass
class Tally:
    """Counts one pass of an encode, and keeps the offsets of some frames for the proof."""

    encoder: Encoder
    counts: AttentionCounts
    frames: int = 0
    video_bytes: int = 0
    wall_seconds: float = 0.0
    messages: list[str] = field(default_factory=list)
    pts: array[int] = field(default_factory=lambda: array("q"))
    """Times of all frames, in ticks of the source's time base."""
    end_pts: int = 0
    """End of the last frame, as far as the source says."""
    samples: list[Requested] = field(default_factory=list)
    """Frames whose offsets can be read back, spread over the video."""
    _guided: int = 0
    """Frames that got offsets, if only zeros."""
    _sum_mean: float = 0.0
    _sum_spread: float = 0.0
    _pending: dict[int, tuple[float, FloatArray, str]] = field(default_factory=dict)
    _after_key: bool = False
    _stride: int = 1
    _candidates: int = 0

    def frame(self, frame: VideoFrame, delta_qp: FloatArray | None, crf: str = "") -> None:
        """A frame goes into the encoder; crf: as in `Requested`."""
        assert frame.pts is not None
        self.frames += 1
        self.pts.append(frame.pts)
        self.end_pts = frame.pts + frame.duration
        if delta_qp is not None:
            self._guided += 1
            self._sum_mean += float(delta_qp.mean())
            self._sum_spread += float(delta_qp.std())
            self._pending[frame.pts] = (frame.time, delta_qp, crf)

    def packets(self, packets: Iterable[Packet[Any]]) -> None:
        """Packets come out of it, their times still in ticks of the source's time base."""
        for packet in packets:
            self.video_bytes += packet.size
            requested = self._pending.pop(packet.pts, None) if packet.pts is not None else None
            # Where key frames take no offsets, the frame behind one is looked at.
            worth = packet.is_keyframe if self.encoder.offsets_on_key_frames else self._after_key
            self._after_key = packet.is_keyframe
            if requested is not None and worth:
                self._keep(Requested(*requested))

    def _keep(self, sample: Requested) -> None:
        if self._candidates % self._stride == 0:
            self.samples.append(sample)
            if len(self.samples) > _MOST_SAMPLES:
                self.samples = self.samples[::2]
                self._stride *= 2
        self._candidates += 1

    def facts(self) -> dict[str, NDArray[Any]]:
        """All that `joined` needs, as arrays."""
        grids = [sample.delta_qp for sample in self.samples]
        return {
            "counts": np.array([self.frames, self.video_bytes, self._guided], np.int64),
            "attention": np.array(dataclasses.astuple(self.counts), np.float64),
            "sums": np.array([self._sum_mean, self._sum_spread], np.float64),
            "pts": np.array(self.pts, np.int64),
            "end_pts": np.array(self.end_pts, np.int64),
            "sample_seconds": np.array([sample.pts_seconds for sample in self.samples], np.float64),
            "sample_delta_qp": np.stack(grids) if grids else np.empty((0, 0, 0), np.float32),
        }

    def add(self, facts: Mapping[str, NDArray[Any]]) -> None:
        """Go on with the counts of the part of a video that follows, as its `facts` gave them."""
        frames, size, guided = map(int, facts["counts"])
        maps, looks, shots, sure, total, lowest = facts["attention"].tolist()
        self.frames += frames
        self.video_bytes += size
        self.counts.add(AttentionCounts(int(maps), int(looks), int(shots), int(sure), total, lowest))
        self._guided += guided
        self._sum_mean += float(facts["sums"][0])
        self._sum_spread += float(facts["sums"][1])
        self.pts.extend(map(int, facts["pts"]))
        self.end_pts = int(facts["end_pts"])
        for seconds, delta_qp in zip(facts["sample_seconds"], facts["sample_delta_qp"], strict=True):
            self._keep(Requested(float(seconds), delta_qp))

    @property
    def mean_delta_qp(self) -> float | None:
        return self._sum_mean / self._guided if self._guided else None

    @property
    def spread_delta_qp(self) -> float | None:
        return self._sum_spread / self._guided if self._guided else None


def build_report(
    plan: EncoderPlan,
    options: EncodeOptions,
    reader: VideoReader,
    target: Path,
    written: Path,
    tally: Tally,
    checked: tuple[OffsetsApplied, Checks | None],
) -> EncodeReport:
    """The report of a finished encode; `written` is the file, still under its temporary name."""
    video = reader.info
    duration = _seconds(tally, video)
    applied, checks = checked
    confidence, confidence_lowest = tally.counts.confidence()
    return EncodeReport(
        source=display_name(reader.path),
        output=display_name(target),
        encoder=plan.encoder.name,
        options=dataclasses.asdict(options),
        encoder_options=dict(plan.options),
        attention=options.attention,
        width_px=video.width_px,
        height_px=video.height_px,
        pix_fmt=plan.pix_fmt,
        frames=tally.frames,
        duration_seconds=duration,
        source_bytes=reader.path.stat().st_size,
        output_bytes=written.stat().st_size,
        video_bytes=tally.video_bytes,
        video_kbps=kbps_of(tally, video),
        wall_seconds=tally.wall_seconds,
        frames_per_second=tally.frames / tally.wall_seconds if tally.wall_seconds else 0.0,
        maps=tally.counts.maps,
        looks=tally.counts.looks,
        shots=tally.counts.shots,
        confidence=confidence,
        confidence_lowest=confidence_lowest,
        mean_delta_qp=tally.mean_delta_qp,
        spread_delta_qp=tally.spread_delta_qp,
        offsets_applied=applied,
        checks=checks,
        messages=(*plan.messages, *_damage(reader), *tally.messages),
        versions=versions(),
        partial=bool(reader.damaged_packets),
    )


def kbps_of(tally: Tally, video: VideoInfo) -> float:
    """Bitrate of the video in a pass."""
    duration = _seconds(tally, video)
    return tally.video_bytes * 8 / 1000 / duration if duration else 0.0


def _seconds(tally: Tally, video: VideoInfo) -> float:
    last = max(tally.pts) - min(tally.pts) if tally.frames else 0
    return float(last * video.time_base) + (float(1 / video.frame_rate) if video.frame_rate else 0.0)


def report_file(run: RunOptions) -> AbstractContextManager[Path | None]:
    """The file to write the report to, under a temporary name that is tried out at once; None if none was asked for."""
    if run.report_path is None:
        return nullcontext()
    return atomic_output(Path(run.report_path), overwrite=run.overwrite)


def write_report(report: EncodeReport, path: Path | None) -> None:
    """Write the report where it was asked for. Raises MediaError."""
    if path is None:
        return
    try:
        path.write_text(report.to_json() + "\n", encoding="utf-8")
    except OSError as error:
        raise file_error(None, "the report can't be written", error, "; nothing was left behind") from None


def versions() -> dict[str, str]:
    """Versions that the result depends on, by name."""
    return {
        "stcodec": stcodec.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **library_versions(),
    }


def _damage(reader: VideoReader) -> list[str]:
    messages = []
    if reader.damaged_packets:
        messages.append(f"the source is damaged: {reader.frames_read} frames could be decoded and are in the file")
    if reader.corrupt_frames:
        messages.append(f"{reader.corrupt_frames} frames of the source were decoded with errors")
    if reader.is_mirrored:
        messages.append("a player mirrors this video: maps, masks and gaze from files are read as if it did not")
    if reader.repaired_times:
        messages.append(f"{reader.repaired_times} frames had no usable time and were given one")
    return messages + reader.notes()
