"""Metrics of a stream in Prometheus' text format (version 0.0.4), and its health."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar, get_args

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from stcodec.stream.observe.snapshot import (
    MapCondition,
    RenditionState,
    SourceCondition,
    StreamSnapshot,
    TargetCondition,
    TargetState,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "stcodec_stream_"
_GRACE_SECONDS = 10.0
"""Time after the start in which connecting is healthy."""

Labels = Mapping[str, str]
Of = TypeVar("Of")
Kind = Literal["gauge", "counter"]
Row = tuple[Kind, str, str, Callable[[Of], float | None]]
"""Kind, name, help, and how the value is found; None = not known, so not said."""


_STREAM: tuple[Row[StreamSnapshot], ...] = (
    ("gauge", "running_seconds", "Time since the stream began.", lambda now: now.running_seconds),
    ("gauge", "healthy", "1 if /healthz says so.", lambda now: float(not health_problems(now))),
    ("counter", "source_reconnects_total", "Times the source was opened again.", lambda now: now.source_reconnects),
    ("counter", "timestamp_jumps_total", "Jumps in the source's timestamps.", lambda now: now.timestamp_jumps),
    ("gauge", "input_frames_per_second", "Frames that come in.", lambda now: now.fps_in),
    ("counter", "input_frames_total", "Frames that came in.", lambda now: now.frames_in),
    ("counter", "input_frames_damaged_total", "Frames that came in damaged.", lambda now: now.frames_damaged),
    ("gauge", "latency_seconds", "From a frame's arrival to its packet, the newest.", lambda now: now.latency_seconds),
    ("gauge", "latency_p99_seconds", "The same, 99th percentile of a minute.", lambda now: now.latency_p99_seconds),
    ("gauge", "map_age_seconds", "Age of the newest frame's map.", lambda now: now.map_age_seconds),
    ("gauge", "map_age_p99_seconds", "The same, 99th percentile of a minute.", lambda now: now.map_age_p99_seconds),
    ("gauge", "maps_per_second", "Saliency maps made.", lambda now: now.maps_per_second),
    ("counter", "maps_total", "Saliency maps made since the start.", lambda now: now.maps),
    ("counter", "attention_restarts_total", "Times attention died and was restarted.", lambda now: now.attention_restarts),
    (
        "gauge",
        "pressure",
        "What gave way: 0 nothing, 1 maps are older, 2 fewer, 3 the preset is easier, 4 frames are dropped.",
        lambda now: now.pressure,
    ),
    ("counter", "older_maps_total", "Times that maps became older.", lambda now: now.pressure_counts.older_maps),
    ("counter", "fewer_maps_total", "Times that maps became fewer.", lambda now: now.pressure_counts.fewer_maps),
    ("counter", "easier_presets_total", "Times that the preset was eased.", lambda now: now.pressure_counts.easier_preset),
)
_RENDITION: tuple[Row[RenditionState], ...] = (
    ("gauge", "rendition_frames_per_second", "Frames encoded.", lambda one: one.fps),
    ("gauge", "rendition_bits_per_second", "Bits that leave the encoder.", lambda one: 1000 * one.kbps),
    ("gauge", "rendition_target_bits_per_second", "Bits that are aimed at.", lambda one: 1000 * one.target_kbps),
    ("gauge", "rendition_buffer_ratio", "Fullness of the decoder's buffer.", lambda one: one.buffer_fill),
    ("counter", "rendition_buffer_underflows_total", "Times that buffer ran empty.", lambda one: one.buffer_underflows),
    ("counter", "rendition_frames_total", "Frames encoded.", lambda one: one.frames),
    ("counter", "rendition_frames_dropped_total", "Frames dropped.", lambda one: one.frames_dropped),
    ("gauge", "rendition_qp_attended", "Mean QP of the most attended fifth, read back.", lambda one: one.mean_qp_attended),
    ("gauge", "rendition_qp_elsewhere", "Mean QP elsewhere, read back.", lambda one: one.mean_qp_elsewhere),
    (
        "gauge",
        "rendition_bits_attended_ratio",
        "Share of a key frame's bits in the most attended fifth, estimated.",
        lambda one: one.bits_attended,
    ),
    ("gauge", "rendition_offsets_slope", "QP read back against the offset asked for.", lambda one: one.offsets_slope),
)
_TARGET: tuple[Row[TargetState], ...] = (
    ("counter", "target_bytes_total", "Bytes of packets written.", lambda one: one.bytes),
    ("counter", "target_packets_dropped_total", "Packets dropped.", lambda one: one.packets_dropped),
    ("counter", "target_reconnects_total", "Times it was opened again.", lambda one: one.reconnects),
)


def prometheus_text(snapshot: StreamSnapshot) -> bytes:
    """The page that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(snapshot))
    return generate_latest(registry)


def health_problems(snapshot: StreamSnapshot) -> list[str]:
    """Reasons why the stream is unhealthy: frames must come in, be encoded, and be taken by every target."""
    starting = snapshot.running_seconds < _GRACE_SECONDS
    allowed = {"open", "connecting"} if starting else {"open"}
    reasons = []
    if snapshot.source_condition not in allowed:
        reasons.append(_reason(f"source is {snapshot.source_condition}", snapshot.source_message))
    elif not starting:
        reasons += [f"rendition {one.name} stands still" for one in snapshot.renditions if one.fps <= 0]
    for target in snapshot.targets:
        if target.condition not in allowed:
            reasons.append(_reason(f"target {target.name} is {target.condition}", target.message))
    return reasons


def _reason(what: str, message: str) -> str:
    return f"{what}: {message}" if message else what


class _Snapshot(Collector):
    """The metrics of one snapshot.

    Names alone needn't differ: two targets can be the same but for what is hidden of them, so each has its index too.
    """

    def __init__(self, snapshot: StreamSnapshot) -> None:
        self._now = snapshot

    def collect(self) -> Iterator[Metric]:
        now = self._now
        renditions = [({"rendition": one.name, "index": str(index)}, one) for index, one in enumerate(now.renditions)]
        targets = [
            ({"target": one.name, "kind": one.kind, "index": str(index)}, one) for index, one in enumerate(now.targets)
        ]
        yield from _table(_STREAM, [({}, now)])
        yield _conditions("source_condition", "source", [({}, now.source_condition)], get_args(SourceCondition))
        yield _conditions("map_condition", "newest frame's map", [({}, now.map_condition)], get_args(MapCondition))
        yield _metric(
            "gauge", "rendition_info", "Size and preset, as labels.", [(by | _looks(one), 1.0) for by, one in renditions]
        )
        yield from _table(_RENDITION, renditions)
        of_targets = [(by, one.condition) for by, one in targets]
        yield _conditions("target_condition", "target", of_targets, get_args(TargetCondition))
        yield from _table(_TARGET, targets)


def _table(rows: Iterable[Row[Of]], of: Sequence[tuple[Labels, Of]]) -> Iterator[Metric]:
    for kind, name, text, value in rows:
        samples = [(labels, known) for labels, one in of if (known := value(one)) is not None]
        if samples:
            yield _metric(kind, name, text, samples)


def _conditions(name: str, what: str, of: Sequence[tuple[Labels, str]], names: Sequence[str]) -> Metric:
    samples = [({**labels, "condition": one}, float(one == now)) for labels, now in of for one in names]
    return _metric("gauge", name, f"1 for the condition of the {what}, 0 for the others.", samples)


def _looks(one: RenditionState) -> dict[str, str]:
    return {"width_px": str(one.width_px), "height_px": str(one.height_px), "preset": one.preset}


def _metric(kind: Kind, name: str, text: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
    metric = Metric(_PREFIX + name.removesuffix("_total"), text, kind)
    for labels, value in samples:
        # Lone surrogates (undecodable bytes of a name) can't be said in UTF-8.
        sayable = {label: text.encode("utf-8", "backslashreplace").decode() for label, text in labels.items()}
        metric.add_sample(_PREFIX + name, sayable, value)
    return metric
