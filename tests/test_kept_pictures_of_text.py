"""Subtitles that are pictures: kept where the container has a place for them, else said in words."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import pytest
from media import run_ffmpeg

import stcodec

_SIDE_PX = 16


def _segment(seconds: float, kind: int, body: bytes) -> bytes:
    return b"PG" + struct.pack(">IIBH", int(seconds * 90_000), 0, kind, len(body)) + body


def write_pgs(path: Path, begin: float, end: float) -> None:
    """One white square, as Blu-rays have them."""
    lines = (bytes([0, 0x80 | _SIDE_PX, 1]) + b"\0\0") * _SIDE_PX
    picture = struct.pack(">HBBBHHH", 0, 0, 0xC0, 0, len(lines) + 4, _SIDE_PX, _SIDE_PX) + lines
    window = struct.pack(">BBHHHH", 1, 0, 8, 8, _SIDE_PX, _SIDE_PX)
    shown = struct.pack(">HHBHBBBBHBBHH", 96, 64, 0x10, 0, 0x80, 0, 0, 1, 0, 0, 0, 8, 8)
    gone = struct.pack(">HHBHBBBB", 96, 64, 0x10, 1, 0, 0, 0, 0)
    colours = bytes([0, 0, 1, 235, 128, 128, 255])
    parts = [(begin, 0x16, shown), (begin, 0x17, window), (begin, 0x14, colours), (begin, 0x15, picture), (begin, 0x80, b"")]
    parts += [(end, 0x16, gone), (end, 0x17, window), (end, 0x80, b"")]
    path.write_bytes(b"".join(_segment(*part) for part in parts))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bitmaps")
    write_pgs(folder / "s.sup", 0.2, 0.6)
    video = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-i", str(folder / "s.sup"), "-map", "0", "-map", "1"]
    for name, codec in (("hdmv_pgs_subtitle", "copy"), ("dvd_subtitle", "dvdsub")):
        run_ffmpeg(*video, "-c:v", "libx264", "-preset", "ultrafast", "-c:s", codec, folder / f"{name}.mkv")
    return folder


def cues(path: Path) -> tuple[int, list[tuple[float, bytes]]]:
    """How many streams there are, and the time and content of each packet of subtitles."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.stream.type == "subtitle" and packet.pts is not None:
                found.append((float(packet.pts * (packet.time_base or 0)), bytes(packet)))
        return len(container.streams), found


@pytest.mark.parametrize("codec", ["hdmv_pgs_subtitle", "dvd_subtitle"])
@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov", "ts"])
def test_bitmap_subtitles_are_kept_or_said(sources: Path, tmp_path: Path, codec: str, ending: str) -> None:
    source, out = sources / f"{codec}.mkv", tmp_path / f"out.{ending}"
    report = stcodec.encode(source, out, attention="none", preset="ultrafast")
    assert cues(source)[1]
    assert cues(out) == (cues(source) if ending == "mkv" else (1, []))
    assert (f"subtitle stream 1 ({codec}) is dropped" in " ".join(report.messages)) == (ending != "mkv")
