"""Pictures of two eyes, and of all around: that they are is kept from container to container, or its loss is said."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import boxes
import pytest
from media import ffmpeg_says, run_ffmpeg

import stcodec
from stcodec.media.side_data import side_data


def box(name: bytes, content: bytes, *, is_full: bool = True) -> bytes:
    return struct.pack(">I4s", len(content) + (12 if is_full else 8), name) + bytes(4 * is_full) + content


STEREO = box(b"st3d", bytes([2]))
"""Left and right."""
AROUND = box(
    b"sv3d",
    box(b"svhd", b"\0")
    + box(b"proj", box(b"prhd", struct.pack(">3i", 10 << 16, 5 << 16, 0)) + box(b"equi", bytes(16)), is_full=False),
    is_full=False,
)
SIDE_BY_SIDE, EQUIRECTANGULAR = "Stereo 3D: side by side", "equirectangular (10.000000/5.000000/0.000000)"
SAID = "that it is a 360 degree video is lost"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surround")
    plain = folder / "plain.mp4"
    run_ffmpeg(*["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.4", "-c:v", "libx264", "-preset", "ultrafast"], plain)
    boxes.put_in_entry(plain, folder / "both.mp4", b"avc1", STEREO, AROUND)
    run_ffmpeg("-i", folder / "both.mp4", "-c", "copy", folder / "both.mkv")
    for name in ("both.mp4", "both.mkv"):
        assert SIDE_BY_SIDE in ffmpeg_says(folder / name) and EQUIRECTANGULAR in ffmpeg_says(folder / name)
    return folder


@pytest.mark.parametrize(
    ("name", "ending", "fields", "stereo", "around"),
    [
        ("both.mp4", "mp4", {}, True, True),
        ("both.mkv", "mp4", {"encoder": "libx265", "filters": "scale=128:96"}, True, True),
        ("both.mp4", "mp4", {"fragmented": True}, True, True),
        ("both.mp4", "mkv", {"encoder": "libx265"}, True, False),
        ("both.mkv", "webm", {"encoder": "libvpx-vp9"}, True, False),
        ("both.mp4", "mov", {"encoder": "libx265"}, False, False),
        ("both.mp4", "mp4", {"encoder": "libx265", "filters": "crop=48:64:0:0"}, False, False),
    ],
)
def test_it_is_kept_or_said(
    sources: Path, tmp_path: Path, name: str, ending: str, fields: dict[str, object], stereo: bool, around: bool
) -> None:
    out = tmp_path / f"out.{ending}"
    report = stcodec.encode(sources / name, out, **{"attention": "none", **fields})  # type: ignore[arg-type]
    said = ffmpeg_says(out)
    assert (SIDE_BY_SIDE in said, EQUIRECTANGULAR in said) == (stereo, around)
    assert any(SAID in message for message in report.messages) == (not around)
    assert any("stereo 3D is lost" in message for message in report.messages) == (not stereo)
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0))
    assert (side_data(frame, "STEREO3D") is not None, side_data(frame, "SPHERICAL") is not None) == (stereo, around)
    assert b"vexu" not in out.read_bytes()


def test_others_are_told_nothing_of_it(sources: Path, tmp_path: Path) -> None:
    report = stcodec.encode(sources / "plain.mp4", tmp_path / "out.mp4", attention="none")
    assert not any("lost" in message for message in report.messages)
    assert b"st3d" not in (tmp_path / "out.mp4").read_bytes()
