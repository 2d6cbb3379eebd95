"""The tables of docs/stream.md."""

from __future__ import annotations

from typing import Any

from results import read, table

_WAYS = {"ffmpeg": "plain `ffmpeg`", "none": "`--attention none`", "neural": "`--attention neural`"}


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"


def bench_stream_readers() -> str:
    """Latency to readers of MPEG-TS and RTMP."""
    names = {"mpegts": "MPEG-TS over TCP", "rtmp": "RTMP through nginx"}
    rows = [
        [
            names[row["target"]],
            _WAYS[row["way"]],
            _ms(row["median_ms"]),
            _ms(row["p99_ms"]),
            f"{row['missing']}",
            f"{row['cores']:.2f}",
        ]
        for row in read("bench_stream")["readers"]["found"]
    ]
    return table(["target", "encoded by", "latency, median", "99th percentile", "frames missing", "cores used"], rows)


def bench_stream_browser() -> str:
    """Latency to players."""
    rows = [
        [
            {"hls": "HLS, hls.js", "dash": "DASH, dash.js"}[row["target"]],
            _WAYS[row["way"]],
            _ms(row["median_ms"]),
            _ms(row["p99_ms"]),
            f"{row['presented']}",
            f"{row['player_dropped']}",
            f"{row['player_stalls']}",
        ]
        for row in read("bench_stream")["browser"]["found"]
    ]
    head = ["player", "encoded by", "latency, median", "99th percentile", "frames shown", "dropped by the player", "stalls"]
    return table(head, rows)


def bench_stream_long() -> str:
    """Ten minutes on end."""
    rows = [
        [
            f"{row['frames'] / 30:.0f} s",
            f"{row['missing']}",
            f"{row['frames_dropped']}",
            _ms(row["median_ms"]),
            _ms(row["p99_ms"]),
            _ms(row["map_age"]["median_ms"]),
            _ms(row["map_age"]["p99_ms"]),
            f"{row['maps_per_second']:.1f}",
            f"{row['buffer_underflows']}",
        ]
        for row in read("bench_stream")["long"]["found"]
    ]
    head = ["video", "frames missing", "dropped", "latency, median", "99th percentile", "map age, median", "99th percentile"]
    return table([*head, "maps a second", "buffer underflows"], rows)


def bench_stream_memory() -> str:
    """Resident memory, by quarters of the run."""
    found = read("bench_stream")["memory"]["found"]
    head = ["640x360, HLS, as fast as it goes", *(f"quarter {number}" for number in range(1, 5))]
    rows = [
        [f"{words} resident memory", *(f"{one} MiB" for one in found[f"{words}_mib_by_quarter"])]
        for words in ("median", "peak")
    ]
    return table(head, rows)


def live_saving() -> str:
    """Bits saved by live streams, and by encodes of files beside them."""
    metrics = ("psnr-attended", "psnr-whole", "psnr-background")

    def cells(found: dict[str, Any], mean: str) -> list[str]:
        return [
            f"{found[one][mean]:+.1f} % [{', '.join(f'{end:+.1f}' for end in found[one]['interval_95_percent'])}]"
            for one in metrics
        ]

    live = read("live_saving")["bd_rate_percent"]
    files = read("headline")["bd_rate_percent"]["libx264"]["arms"]
    rows = [["live: veryfast, constant bitrate, causal", arm, *cells(found, "mean_percent")] for arm, found in live.items()]
    rows += [["file: medium, CRF, looks ahead", arm, *cells(files[arm], "bd_rate_percent")] for arm in live]
    return table(["encode", "guided by", "attended PSNR", "whole frame, PSNR", "background"], rows)
