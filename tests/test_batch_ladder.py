"""`stcodec batch --ladder`: renditions whose key frames agree, as HLS and DASH that players can read."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import av
import command
import media
import numpy as np
import pytest
from batches import jobs
from command import run

from stcodec.errors import VerifyError
from stcodec.media.package import key_times, write_package

Capture = pytest.CaptureFixture[str]
SIZE, FRAMES = (160, 96), 125
DASH = "{urn:mpeg:dash:schema:mpd:2011}"


@pytest.fixture(scope="module")
def source(films: Path) -> Path:
    """Five seconds with two tracks of sound, in a folder of its own."""
    (films / "ladder").mkdir()
    media.make_rich_film(films / "ladder" / "a film.mp4", seconds=FRAMES / 25, size=SIZE)
    return films / "ladder"


@pytest.mark.parametrize(("encoder", "attention"), [("libx264", "motion"), ("libx265", "none")])
def test_a_ladder(capfd: Capture, tmp_path: Path, source: Path, encoder: str, attention: str) -> None:
    output = tmp_path / "out"
    ladder = ("--ladder", "1080p@5M,96p@120k,64p@40k", "--encoder", encoder, "--preset", "veryfast")
    arguments = ("batch", source, output, *ladder)
    done = run(capfd, *arguments, "--attention", attention, "--jobs", "1")
    assert done.status == 0, done
    package = output / "a film"
    assert {path.name for path in output.iterdir()} == {"a film", ".stcodec-batch"}
    master = (package / "master.m3u8").read_text()
    assert re.findall(r"RESOLUTION=(\d+x\d+)", master) == ["160x96", "106x64"]  # 1080p would be an enlargement
    originals = [frame[::1] for frame in media.frames_of(source / "a film.mp4")]
    sizes = []
    for number in (0, 1):
        playlist = package / f"media_{number}.m3u8"
        with av.open(str(playlist)) as container:
            frames = list(container.decode(video=0))
        sizes.append(sum(path.stat().st_size for path in package.glob(f"chunk-stream{number}-*")))
        assert len(frames) == FRAMES
        seconds = [frame.time for frame in frames]
        assert np.allclose(np.diff(seconds), 1 / 25, atol=0.002)
        assert [round(frame.time - seconds[0], 2) for frame in frames if frame.key_frame] == [0.0, 4.0]
        assert [float(one) for one in re.findall(r"#EXTINF:([\d.]+)", playlist.read_text())] == pytest.approx([4, 1])
        if number == 0:
            quality = [media.psnr(one, media.luma_of(two)) for one, two in zip(originals, frames, strict=True)]
            assert np.mean(quality) > 30
    assert 1.5 < sizes[0] / sizes[1] < 5
    shown = ElementTree.parse(package / "manifest.mpd").getroot()
    found = {(one.get("width"), one.get("height")) for one in shown.iter(f"{DASH}Representation") if one.get("width")}
    assert found == {("160", "96"), ("106", "64")}
    assert len(list(shown.iter(f"{DASH}AdaptationSet"))) == 2
    said = media.run_ffmpeg("-i", package / "manifest.mpd", "-map", "0:v:1", "-map", "0:a", "-f", "null", "-")
    assert re.findall(r"frame= *(\d+)", said)[-1] == str(FRAMES)
    with av.open(str(package / "media_2.m3u8")) as container:
        sound = sum(frame.samples for frame in container.decode(audio=0))
    assert sound / 48_000 == pytest.approx(FRAMES / 25, abs=0.1)
    job = jobs(output)["a film"]
    assert (job["state"], job["frames"], job["maps_were_kept"]) == ("done", FRAMES, 0)
    assert "1 more tracks of sound are left out" in job["notes"]
    maps = list((output / ".stcodec-batch" / "maps").iterdir()) if attention != "none" else []
    assert len(maps) == (attention != "none")  # one look for both renditions
    before = command.snapshot(package)
    assert run(capfd, *arguments, "--attention", attention, "-q").status == 0
    assert command.snapshot(package) == before
    if encoder == "libx264":
        next(package.glob("chunk-stream0-*")).unlink()
        done = run(capfd, *arguments, "--attention", attention)
        assert done.status == 3 and "the finished file was changed since it was made" in done.out
        assert run(capfd, *arguments, "--attention", attention, "-y", "-q").status == 0
        assert command.snapshot(package).keys() == before.keys()


def test_key_frames_that_disagree_are_refused(tmp_path: Path, films: Path) -> None:
    one = media.make_film(tmp_path / "one.mp4", frames=20, size=(64, 48), options={"preset": "ultrafast", "g": "5"})
    other = media.make_film(tmp_path / "other.mp4", frames=20, size=(64, 48), options={"preset": "ultrafast", "g": "10"})
    assert key_times(one) == [0, 200, 400, 600]
    with pytest.raises(VerifyError, match="key frames of the renditions do not agree"):
        write_package([one, other], one, tmp_path, 4.0)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--ladder", "1080"), "--ladder '1080': write LINESp@RATE"),
        (("--ladder", "96p@1M,96p@2M"), "two renditions have the same number of lines"),
        (("--ladder", "97p@1M"), "97p: allowed are even numbers of lines from 64 to 8192"),
        (("--ladder", "96p@1M", "--crf", "20"), "leave --crf, --bitrate and --keyint out"),
        (("--ladder", "96p@1M", "--encoder", "libvpx-vp9"), "libvpx-vp9 was given"),
    ],
)
def test_refused(capfd: Capture, tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    command.assert_refused(capfd, tmp_path, 2, words, "batch", tmp_path, tmp_path / "out", *flags)
