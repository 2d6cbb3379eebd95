"""`maps --export`: what other encoders read, given to those that can be run here."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import av
import media
import numpy as np
import pytest
from command import run
from media import run_ffmpeg

import stcodec
from stcodec.encoders import svt_library
from stcodec.encoders.av1_headers import FrameQuantisers, frame_quantisers
from stcodec.errors import OptionsError
from stcodec.media.decode import VideoReader
from stcodec.media.gray_writer import GrayVideoWriter
from stcodec.pipeline.export import export_maps, rectangles
from stcodec.types import BlockGrid

Capture = pytest.CaptureFixture[str]
FRAMES = 12
SIDES = np.s_[:192], np.s_[192:]


@pytest.fixture(scope="module")
def video(videos: Path) -> Path:
    return media.make_video(videos / "to_export.mkv", size=(384, 256), frames=FRAMES)


@pytest.fixture(scope="module")
def maps(videos: Path, video: Path) -> str:
    """The left half matters in the first six frames, the right one in the others."""
    path = videos / "sides.mkv"
    with VideoReader(video) as reader, GrayVideoWriter(path, reader.info, path.name) as writer:
        for number in range(FRAMES):
            side = np.tile(np.repeat([1.0, 0.1], 12), (16, 1)).astype(np.float32)
            writer.write(side if number < 6 else side[:, ::-1])
    return f"map:{path}"


def program(name: str, option: str) -> str:
    """An encoder's own program; the test is skipped where it is missing, or too old for an option."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    helped = subprocess.run([found, "--help"], capture_output=True, text=True, check=False)
    if option not in helped.stdout + helped.stderr:
        pytest.skip(f"{name} has no {option}")
    return found


def exported(video: Path, maps: str, target: Path, kind: str) -> Path:
    report = export_maps(video, target, kind, attention=maps, policy=stcodec.OffsetPolicy(floor=0.1, smoothing_seconds=0))
    assert (report.frames, report.maps) == (FRAMES, FRAMES)
    return target


def test_kvazaar_follows_its_file_from_frame_to_frame(video: Path, maps: str, tmp_path: Path) -> None:
    text = exported(video, maps, tmp_path / "roi.txt", "kvazaar-roi")
    lines = text.read_text().splitlines()
    assert lines[::2] == ["24 16"] * FRAMES
    left, right = int(lines[1].split()[0]), int(lines[1].split()[23])
    assert right - left >= 4
    out = tmp_path / "out.mkv"
    coding = ["-c:v", "libkvazaar", "-kvazaar-params", f"qp=34,period=1,roi={text}"]
    run_ffmpeg("-i", video, *coding, out)
    lead = [media.psnr(a[:, :192], b[:, :192]) - media.psnr(a[:, 192:], b[:, 192:]) for a, b in pairs(video, out)]
    assert np.mean(lead[:6]) - np.mean(lead[6:]) > 4


def test_kvazaar_program_follows_its_file(video: Path, maps: str, tmp_path: Path) -> None:
    kvazaar = program("kvazaar", "--roi")  # 2.3.1 crashes when all is written
    text, raw, out = exported(video, maps, tmp_path / "roi.txt", "kvazaar-roi"), tmp_path / "in.yuv", tmp_path / "out.hevc"
    run_ffmpeg("-i", video, "-pix_fmt", "yuv420p", raw)
    coding: list[str | Path] = ["--input-res", "384x256", "--qp", "34", "--period", "1", "--roi", text]
    subprocess.run([kvazaar, "-i", raw, *coding, "-o", out], check=False, capture_output=True)
    lead = [media.psnr(a[:, :192], b[:, :192]) - media.psnr(a[:, 192:], b[:, 192:]) for a, b in pairs(video, out)]
    assert np.mean(lead[:6]) - np.mean(lead[6:]) > 4


def pairs(one: Path, other: Path) -> list[tuple[media.Luma, media.Luma]]:
    return list(zip(media.frames_of(one), media.frames_of(other), strict=True))


def test_svt_lines_are_maps_that_the_library_takes(video: Path, maps: str, tmp_path: Path) -> None:
    assert svt_library.works() == ""
    lines = exported(video, maps, tmp_path / "roi.txt", "svt-roi").read_text().splitlines()
    rows = [[int(word) for word in line.split()] for line in lines]
    assert [row[0] for row in rows] == [0, 6]
    assert {len(row) for row in rows} == {1 + 6 * 4}
    params = {"width": "384", "height": "256", "preset": "11", "rc": "0", "crf": "40", "fps-num": "25", "fps-denom": "1"}
    encoder = svt_library.SvtEncoder(params, takes_maps=True)
    path, packets = tmp_path / "out.obu", list[bytes]()
    events = {row[0]: np.array(row[1:]).reshape(4, 6) for row in rows}
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            frame.pts = number
            segments = None
            if number in events:
                values, ids = np.unique(-events[number], return_inverse=True)
                assert len(values) <= 8 and values.max() <= 0
                segments = svt_library.Segments(ids.reshape(4, 6).astype(np.uint8), (-values).astype(np.int16))
            encoder.send(frame, segments=segments)
            packets += map(bytes, encoder.packets())
    packets += map(bytes, encoder.rest())
    encoder.close()
    path.write_bytes(b"".join(packets))
    listed = [frame.qindex_offsets for frame in frame_quantisers_of(path)]
    assert len(listed) >= FRAMES
    assert all(one is not None and set(one) <= set(events[0].ravel()) | {0} for one in listed)


def test_svt_program_follows_its_file(video: Path, maps: str, tmp_path: Path) -> None:
    svt = program("SvtAv1EncApp", "--roi-map-file")
    text = exported(video, maps, tmp_path / "roi.txt", "svt-roi")
    raw, out, plain = tmp_path / "in.y4m", tmp_path / "out.ivf", tmp_path / "plain.ivf"
    run_ffmpeg("-i", video, "-pix_fmt", "yuv420p", raw)
    coding: list[str | Path] = ["-i", raw, "--preset", "11", "--crf", "35", "--force-key-frames", "6f"]
    subprocess.run([svt, *coding, "-b", plain], check=True, capture_output=True)
    subprocess.run([svt, *coding, "--roi-map-file", text, "-b", out], check=True, capture_output=True)
    levels = [{int(word) for word in line.split()[1:]} for line in text.read_text().splitlines()]
    listed = [one.qindex_offsets for one in frame_quantisers_of(out)]
    assert len(listed) >= FRAMES and all(one is not None and set(one) <= levels[0] | levels[1] | {0} for one in listed)
    assert max(max(one) for one in listed if one) == max(map(max, levels)) > 0
    frames = zip(media.frames_of(video), media.frames_of(plain), media.frames_of(out), strict=True)
    change = np.array([[media.psnr(a[:, x], c[:, x]) - media.psnr(a[:, x], b[:, x]) for x in SIDES] for a, b, c in frames])
    for frames_of_map, worse, same in ((change[:6], 1, 0), (change[6:], 0, 1)):
        assert frames_of_map[:, worse].mean() < -1.5 and abs(frames_of_map[:, same].mean()) < 0.5


def frame_quantisers_of(path: Path) -> list[FrameQuantisers]:
    out = path.with_suffix(".mkv")
    run_ffmpeg("-i", path, "-c", "copy", out)
    return list(frame_quantisers(out))


def test_rectangles_reach_x264_through_addroi(video: Path, maps: str, tmp_path: Path) -> None:
    lines = exported(video, maps, tmp_path / "rects.jsonl", "json-rects").read_text().splitlines()
    frames = [json.loads(line) for line in lines]
    assert [frame["frame"] for frame in frames] == list(range(FRAMES))
    rects = frames[0]["rects"]
    filters = ",".join("addroi={x}:{y}:{width}:{height}:{qoffset}".format(**one) for one in rects)
    out, plain = tmp_path / "out.mkv", tmp_path / "plain.mkv"
    coding = ["-frames:v", "6", "-c:v", "libx264", "-preset", "veryfast", "-crf", "28"]
    run_ffmpeg("-i", video, "-vf", filters, *coding, out)
    run_ffmpeg("-i", video, *coding, plain)
    policy = stcodec.OffsetPolicy(floor=0.1, smoothing_seconds=0)
    found = stcodec.verify(out, maps=maps.removeprefix("map:"), plain=plain, policy=policy)
    assert found.verdict == "applied"
    assert found.slope is not None and 0.7 < found.slope < 1.3


def test_rectangles_cover_what_is_not_zero_once() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        grid = BlockGrid(100, 70, 16)
        offsets = rng.integers(-2, 3, grid.shape).astype(np.float32)
        seen = np.zeros((70, 100), np.float32)
        for x, y, width, height, offset in rectangles(offsets, grid):
            assert (seen[y : y + height, x : x + width] == 0).all() and width > 0 and height > 0
            seen[y : y + height, x : x + width] = offset
        wanted = np.kron(offsets, np.ones((16, 16), np.float32))[:70, :100]
        assert (seen == wanted).all()


def test_saliency_as_a_second_video(video: Path, maps: str, tmp_path: Path) -> None:
    frames = media.frames_of(exported(video, maps, tmp_path / "saliency.avi", "x264-saliency"))
    assert [frame.shape for frame in frames] == [(256, 384)] * FRAMES
    assert frames[0][:, :150].mean() > 4 * frames[0][:, 234:].mean()
    assert frames[-1][:, 234:].mean() > 4 * frames[-1][:, :150].mean()


def test_gaze_is_where_the_map_peaks(video: Path, maps: str, tmp_path: Path) -> None:
    rows = [line.split() for line in exported(video, maps, tmp_path / "gaze.txt", "x265-gaze").read_text().splitlines()]
    assert [int(row[0]) for row in rows] == list(range(FRAMES))
    across = [int(row[1]) for row in rows]
    assert max(across[:6]) < 192 < min(across[6:])
    assert all(0 <= int(row[2]) < 256 for row in rows)


def test_from_the_command_line(capfd: Capture, video: Path, tmp_path: Path) -> None:
    done = run(capfd, "maps", video, tmp_path / "roi.txt", "--attention", "center", "--export", "svt-roi", "--strength", "2")
    assert done.status == 0
    assert (tmp_path / "roi.txt").read_text().startswith("0 ")
    done = run(capfd, "maps", video, tmp_path / "roi2.txt", "--attention", "center", "--export", "nonsense")
    assert done.status == 2
    assert "unknown format 'nonsense' to export to: allowed are svt-roi, kvazaar-roi" in done.err
    assert not (tmp_path / "roi2.txt").exists()


def test_without_attention_there_is_nothing_to_export(video: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="attention none has no maps"):
        export_maps(video, tmp_path / "out.txt", "svt-roi", attention="none")
