"""A bitrate is reached, in one pass and in two, and both passes have the same map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from coding import video_hashes
from media import run_ffmpeg, video_pts

import stcodec
from stcodec.encoders.session import EncoderSession
from stcodec.errors import OptionsError
from stcodec.types import FloatArray

PRESET = {"libx264": "veryfast", "libx265": "ultrafast", "libvpx-vp9": "8"}
Sent = list[list[tuple[int, FloatArray | None]]]


@pytest.fixture(scope="module")
def five_seconds(bikes: Path, videos: Path) -> Path:
    """125 frames of bikes, 640x272, two cuts in them."""
    path = videos / "five_seconds.mp4"
    run_ffmpeg("-i", bikes, "-map", "0:v", "-c", "copy", "-frames:v", "125", path)
    return path


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What an encoder was sent in each pass: time and offsets, frame by frame."""
    passes: Sent = []
    send = EncoderSession.send

    def recorded(self: EncoderSession, frame: av.VideoFrame, delta_qp: FloatArray | None, **options: Any) -> Sequence[Any]:
        assert frame.pts is not None
        if not passes or frame.pts <= passes[-1][-1][0]:  # no session is held on to: x265 writes its statistics as it ends
            passes.append([])
        passes[-1].append((frame.pts, None if delta_qp is None else delta_qp.copy()))
        return send(self, frame, delta_qp, **options)

    monkeypatch.setattr(EncoderSession, "send", recorded)
    return passes


@pytest.mark.parametrize("attention", ["motion", "none"])
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_two_passes_reach_their_bitrate_with_one_map(
    five_seconds: Path, tmp_path: Path, sent: Sent, encoder: str, attention: str
) -> None:
    output = tmp_path / "out.mp4"
    fields: dict[str, Any] = {"bitrate_kbps": 300, "preset": PRESET[encoder], "attention": attention, "verify": False}
    report = stcodec.encode(five_seconds, output, encoder=encoder, two_pass=True, **fields)
    assert report.video_kbps == pytest.approx(300, rel=0.15)
    assert report.video_bytes == pytest.approx(300_000 / 8 * 5, rel=0.15)
    assert video_pts(output) == video_pts(five_seconds)
    first, second = sent
    assert [pts for pts, _ in first] == [pts for pts, _ in second]
    assert len(first) == 125
    for (_, one), (_, other) in zip(first, second, strict=True):
        if attention == "none":
            assert one is other is None
        else:
            assert one is not None and other is not None
            assert np.array_equal(one, other)
    assert (report.maps > 10) == (attention != "none")
    assert list(tmp_path.iterdir()) == [output]  # no statistics or maps are left behind


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_the_second_pass_knows_the_first(five_seconds: Path, tmp_path: Path, encoder: str) -> None:
    """Frames are given bits by what the first pass found, so that the result differs from that of one pass."""
    for two_pass in (False, True):
        fields: dict[str, Any] = {"bitrate_kbps": 300, "preset": PRESET[encoder], "attention": "none", "two_pass": two_pass}
        report = stcodec.encode(five_seconds, tmp_path / f"{two_pass}.mkv", encoder=encoder, **fields)
        assert report.video_kbps == pytest.approx(300, rel=0.15)
    assert video_hashes(tmp_path / "True.mkv") != video_hashes(tmp_path / "False.mkv")


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_offsets_of_two_passes_are_in_the_file(ride: Path, tmp_path: Path, encoder: str) -> None:
    fields: dict[str, Any] = {"bitrate_kbps": 900, "two_pass": True, "preset": "veryfast", "verify": True}
    fields |= {"policy": "strong", "anchor": "attended"}
    report = stcodec.encode(ride, tmp_path / "out.mkv", encoder=encoder, attention="center", **fields)
    assert report.offsets_applied.verdict == "applied"


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
def test_one_pass_reaches_its_bitrate_too(five_seconds: Path, tmp_path: Path, encoder: str) -> None:
    fields: dict[str, Any] = {"bitrate_kbps": 400, "preset": PRESET[encoder], "attention": "center"}
    report = stcodec.encode(five_seconds, tmp_path / "out.mkv", encoder=encoder, **fields)
    assert report.video_kbps == pytest.approx(400, rel=0.25)


def test_flags_of_the_user_stay_beside_those_of_the_passes(ride: Path, tmp_path: Path) -> None:
    fields: dict[str, Any] = {"bitrate_kbps": 300, "preset": "veryfast", "attention": "none"}
    for two_pass in (False, True):
        output = tmp_path / f"{two_pass}.mkv"
        stcodec.encode(ride, output, extra={"flags": "-cgop"}, two_pass=two_pass, **fields)
        settings = first_packet(output)
        assert b"open_gop=1" in settings
        assert (b"rc=2pass" in settings) == two_pass


def first_packet(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return bytes(next(container.demux(video=0)))


def test_vp9_has_no_second_pass(video: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"no second pass: leave --two-pass out"):
        stcodec.encode(video, tmp_path / "out.webm", encoder="libvpx-vp9", bitrate_kbps=300, two_pass=True)
