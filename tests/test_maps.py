"""Saliency maps on disk: what is written comes back, and what others write is read right."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from stcodec.errors import MediaError
from stcodec.media.maps import MapReader, MapWriter, read_maps
from stcodec.types import FloatArray, VideoInfo

DATA = Path(__file__).parents[2] / "shared" / "data"
NASTY_NAMES = [
    "a b.mkv",
    "concat:x.mkv|y.mkv",
    "http:__example.org.mkv",
    "-i",
    "%03d.mkv",
    "50%.mkv",
    "new\nline.mkv",
    "\u5730\u56fe \U0001f600.mkv",
    "a'b\"c;d$e`f`.mkv",
]


def make_video(seconds: float | None = 5.0, start: float = 0.0, size: tuple[int, int] = (320, 180)) -> VideoInfo:
    return VideoInfo(*size, Fraction(1, 90000), Fraction(25), seconds, None, "yuv420p", 8, "h264", start_seconds=start)


def make_maps(count: int, shape: tuple[int, int] = (9, 16), seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).random((count, *shape), dtype=np.float32)


def write_video(path: Path, planes: list[np.ndarray], pix_fmt: str, codec: str = "ffv1", color_range: int = 0) -> Path:
    """A constant-rate (10/s) video of single-plane pictures, or of the luma planes of yuv420p, tagged with a range."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 10)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = planes[0].shape
        stream.pix_fmt = pix_fmt
        stream.codec_context.color_range = color_range
        for plane in planes:
            frame = VideoFrame(planes[0].shape[1], planes[0].shape[0], pix_fmt)
            for other in frame.planes[1:]:
                other.update(bytes([128]) * other.buffer_size)
            rows = np.zeros((frame.planes[0].height, frame.planes[0].line_size), np.uint8)
            octets = np.ascontiguousarray(plane).view(np.uint8).reshape(plane.shape[0], -1)
            rows[:, : octets.shape[1]] = octets
            frame.planes[0].update(rows.tobytes())
            frame.color_range = color_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


# --- writing, and reading back what was written


def test_round_trip_of_values_times_shots_and_tags(tmp_path: Path) -> None:
    path = tmp_path / "maps.mkv"
    maps = make_maps(6)
    maps[0, 0, :2] = 0, 1
    times = [0.0, 0.04, 0.0413, 1.5, 1.6667, 4.0]
    with MapWriter(path, make_video(5.0), {"STCODEC_SOURCE": "motion", "STCODEC_NOTE": "caf\u00e9, 2\nlines"}) as writer:
        for index, (pts, saliency) in enumerate(zip(times, maps, strict=True)):
            writer.add(pts, saliency, shot_start=index in (0, 3))
    reader = MapReader(path)
    found = list(reader.maps())
    assert [pts for pts, _ in found] == pytest.approx(times, abs=0.0005001)
    assert np.all(np.diff([pts for pts, _ in found]) > 0)
    for saliency, (_, back) in zip(maps, found, strict=True):
        assert back.dtype == np.float32
        assert np.abs(back - saliency).max() <= 1 / 510 + 1e-6
    assert found[0][1][0, 0] == 0
    assert found[0][1][0, 1] == 1
    assert reader.shot_starts_seconds == pytest.approx((0.0, 1.5))
    assert reader.tags["STCODEC_SOURCE"] == "motion"
    assert reader.tags["STCODEC_NOTE"] == "caf\u00e9, 2\nlines"
    assert reader.frame_size == (320, 180)
    assert reader.duration_seconds == pytest.approx(5.0)
    assert reader.is_ours
    assert not reader.is_static


def test_written_file_is_what_other_programs_expect(tmp_path: Path) -> None:
    path = tmp_path / "maps.mkv"
    with MapWriter(path, make_video(5.0), {}) as writer:
        for index, saliency in enumerate(make_maps(5)):
            writer.add(index * 0.2, saliency, shot_start=index in (0, 2))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert container.format.name.startswith("matroska")
        assert stream.codec_context.name == "ffv1"
        assert stream.codec_context.pix_fmt == "gray"
        assert stream.average_rate == 5
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
        assert titles == ["shot 1", "shot 2"]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert all(packet.is_keyframe for packet in packets)
        assert [packet.duration for packet in packets] == [200, 200, 200, 200, 4200]


def test_same_maps_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.mkv", "two.mkv"):
        with MapWriter(tmp_path / name, make_video(), {"STCODEC_SOURCE": "x"}) as writer:
            writer.add(0.0, make_maps(1)[0], True)
    assert (tmp_path / "one.mkv").read_bytes() == (tmp_path / "two.mkv").read_bytes()


def test_instants_within_a_millisecond_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "maps.mkv"
    times = [1.0, 1.0001, 1.0002, 1.0003]
    with MapWriter(path, make_video(), {}) as writer:
        for pts, saliency in zip(times, make_maps(4), strict=True):
            writer.add(pts, saliency)
    assert [pts for pts, _ in read_maps(path)] == pytest.approx([1.0, 1.001, 1.002, 1.003])


def test_times_count_from_the_start_of_the_video(tmp_path: Path) -> None:
    path = tmp_path / "maps.mkv"
    with MapWriter(path, make_video(5.0, start=1.4), {}) as writer:
        writer.add(1.4, make_maps(1)[0])
        writer.add(2.4, make_maps(1)[0])
    assert [pts for pts, _ in read_maps(path)] == pytest.approx([0.0, 1.0])


def test_one_map_lasts_for_the_whole_video(tmp_path: Path) -> None:
    path = tmp_path / "maps.mkv"
    with MapWriter(path, make_video(60.0), {}) as writer:
        writer.add(0.0, make_maps(1)[0], True)
    reader = MapReader(path)
    assert reader.duration_seconds == pytest.approx(60.0)
    assert reader.maps_per_second == 0
    assert len(list(reader.maps())) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (135, 240)])
def test_any_shape_can_be_written(tmp_path: Path, shape: tuple[int, int]) -> None:
    saliency = make_maps(1, shape)[0]
    with MapWriter(tmp_path / "m.mkv", make_video(), {}) as writer:
        writer.add(0.0, saliency)
    [(_, back)] = read_maps(tmp_path / "m.mkv")
    assert np.abs(back - saliency).max() <= 1 / 510 + 1e-6


def test_writer_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no map to write"), MapWriter(tmp_path / "a.mkv", make_video(), {}):
        pass
    writer = MapWriter(tmp_path / "b.mkv", make_video(), {})
    writer.add(0.0, make_maps(1)[0])
    with pytest.raises(MediaError, match=r"shape \(3, 4\), not \(9, 16\)"):
        writer.add(0.1, np.zeros((3, 4), np.float32))
    with pytest.raises(MediaError, match=r"map at 2\.500 s .* not finite"):
        writer.add(2.5, np.full((9, 16), np.nan, np.float32))
    writer = MapWriter(tmp_path / "no-such-folder" / "c.mkv", make_video(), {})
    writer.add(0, np.zeros((3, 4), np.float32))
    with pytest.raises(MediaError, match=r"no-such-folder.*can't be written.*No such file"):
        writer.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error() -> None:
    def fill(path: str) -> None:
        with MapWriter(path, make_video(), {}, "out.mkv") as writer:
            for index in range(20):
                writer.add(index * 0.1, make_maps(1, (270, 480), index)[0])

    with pytest.raises(MediaError, match=r"^out\.mkv: the maps can't be written.*No space"):
        fill("/dev/full")


@pytest.mark.parametrize("name", NASTY_NAMES)
def test_names_mean_files_and_nothing_else(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # so that the name itself begins with "-" or "http:"
    with MapWriter(name, make_video(), {}) as writer:
        writer.add(0.0, make_maps(1)[0])
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert len(list(read_maps(name))) == 1
    Path(name).unlink()
    with pytest.raises(MediaError, match="no such file"):
        MapReader(name)


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.mkv"
    with MapWriter(path, make_video(), {}) as writer:
        writer.add(0.0, make_maps(1)[0])
    assert len(list(read_maps(path))) == 1
    with pytest.raises(MediaError, match=r"not-there-\\udce9"):
        MapReader(tmp_path / "not-there-\udce9.mkv")


# --- reading what other programs write


def ramp(dtype: type = np.uint8) -> np.ndarray:
    values: np.ndarray = np.linspace(0, np.iinfo(dtype).max, 256).round().astype(dtype)
    return np.tile(values, (8, 1))


def test_full_range_gray(tmp_path: Path) -> None:
    path = write_video(tmp_path / "g.mkv", [ramp()] * 3, "gray", color_range=2)
    found = list(read_maps(path))
    assert [pts for pts, _ in found] == pytest.approx([0.0, 0.1, 0.2])
    assert np.abs(found[0][1] - ramp() / 255).max() < 1e-6


def test_gray_without_a_range_is_full(tmp_path: Path) -> None:
    [(_, saliency)] = read_maps(write_video(tmp_path / "g.mkv", [ramp()], "gray"))
    assert np.abs(saliency - ramp() / 255).max() < 1e-6


def test_gray_tagged_limited_is_scaled(tmp_path: Path) -> None:
    plane = np.tile(np.array([16, 235, 0, 255], np.uint8), (8, 4))
    [(_, saliency)] = read_maps(write_video(tmp_path / "g.mkv", [plane], "gray", color_range=1))
    assert saliency[0, :4] == pytest.approx([0, 1, 0, 1], abs=1e-6)


def test_sixteen_bit_gray(tmp_path: Path) -> None:
    plane = ramp(np.uint16)
    plane[0, 0] = 1
    [(_, saliency)] = read_maps(write_video(tmp_path / "g.mkv", [plane], "gray16le", color_range=2))
    assert np.abs(saliency - plane / 65535).max() < 1e-6
    assert 0 < saliency[0, 0] < 2 / 65535


@pytest.mark.parametrize(("color_range", "black", "white"), [(0, 16, 235), (1, 16, 235), (2, 0, 255)])
def test_luma_of_yuv_in_its_range(tmp_path: Path, color_range: int, black: int, white: int) -> None:
    middle = (black + white) // 2
    plane = np.tile(np.array([black, middle, white, white], np.uint8).repeat(4), (16, 2))
    [(_, saliency)] = read_maps(write_video(tmp_path / "y.mkv", [plane], "yuv420p", color_range=color_range))
    expected = np.clip((plane - black) / (white - black), 0, 1)
    assert np.abs(saliency - expected).max() < 0.003


def test_lossy_video_with_reordered_frames(tmp_path: Path) -> None:
    planes = [np.full((64, 64), 16 + 20 * index, np.uint8) for index in range(10)]
    path = write_video(tmp_path / "x.mp4", planes, "yuv420p", "libx264")
    found = list(read_maps(path))
    assert [pts for pts, _ in found] == pytest.approx(np.arange(10) / 10)
    assert [float(one.mean()) for _, one in found] == pytest.approx(np.arange(10) * 20 / 219, abs=0.02)
    assert MapReader(path).maps_per_second == pytest.approx(10)
    assert not MapReader(path).is_ours


def test_first_map_of_a_late_starting_video_is_at_zero(tmp_path: Path) -> None:
    path = write_video(tmp_path / "x.ts", [ramp()[:, :64].repeat(8, 0)] * 5, "yuv420p", "mpeg2video")
    with av.open(str(path)) as container:
        assert (container.streams.video[0].start_time or 0) > 0
    assert next(read_maps(path))[0] == 0


def test_static_pictures_of_every_kind(tmp_path: Path) -> None:
    gray = ramp()
    Image.fromarray(gray).save(tmp_path / "l.png")
    Image.fromarray(ramp(np.uint16)).save(tmp_path / "l16.png")
    Image.fromarray(np.dstack([gray] * 3)).save(tmp_path / "rgb.png")
    Image.fromarray(gray).convert("P").save(tmp_path / "p.png")
    Image.fromarray(gray).save(tmp_path / "t.tif")
    Image.fromarray(gray).save(tmp_path / "b.bmp")
    Image.fromarray(gray).save(tmp_path / "g.pgm")
    Image.fromarray(gray).save(tmp_path / "%03d.png")
    Image.fromarray(gray).save(tmp_path / "no suffix", format="png")
    white = np.full_like(gray, 255)
    Image.fromarray(np.dstack([white, gray])).save(tmp_path / "la.png")
    Image.fromarray(np.dstack([white, white, white, gray])).save(tmp_path / "rgba.png")
    names = sorted(one.name for one in tmp_path.iterdir())
    assert len(names) == 11
    for name in names:
        reader = MapReader(tmp_path / name)
        assert reader.is_static
        assert reader.duration_seconds is None
        [(pts, saliency)] = reader.maps()
        assert pts == 0
        assert np.abs(saliency - gray / 255).max() < 1e-4, name


def test_a_picture_that_is_there_is_never_a_pattern(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 16), 51, np.uint8)).save(tmp_path / "%03d.png")
    Image.fromarray(np.full((9, 16), 255, np.uint8)).save(tmp_path / "000.png")
    [(_, saliency)] = read_maps(tmp_path / "%03d.png")
    assert np.all(saliency == np.float32(0.2))


def test_one_bit_mask(tmp_path: Path) -> None:
    Image.fromarray(ramp() > 127).save(tmp_path / "m.png")
    [(_, saliency)] = read_maps(tmp_path / "m.png")
    assert np.array_equal(saliency, (ramp() > 127).astype(np.float32))


def write_pictures(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for index, name in enumerate(names):
        Image.fromarray(np.full((9, 16), 20 * index, np.uint8)).save(folder / name)


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["0001.png", "0002.png", "0010.png", "12345.png"], "%04d.png"),
        (["f7.png", "f8.png", "f10.png", "f100.png"], "f%d.png"),
        (["5%_1.png", "5%_2.png", "5%_3.png", "5%_4.png"], "5%%_%d.png"),
        (["a2.png", "a10.png", "b.png", "c.png"], ""),
    ],
)
def test_pictures_in_the_order_of_their_numbers(tmp_path: Path, names: list[str], pattern: str) -> None:
    folder = tmp_path / "100% maps"
    write_pictures(folder, names)
    (folder / "notes.txt").write_text("not a picture")
    path = folder / pattern if pattern else folder
    found = list(read_maps(path, duration_seconds=2.0))
    assert [round(float(one[0, 0]) * 255) for _, one in found] == [0, 20, 40, 60]
    assert [pts for pts, _ in found] == pytest.approx([0, 0.5, 1, 1.5])
    assert [pts for pts, _ in read_maps(path, fps=10)] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert MapReader(path, fps=10).duration_seconds == pytest.approx(0.4)
    with pytest.raises(MediaError, match=r"4 pictures have no times.*give fps"):
        next(read_maps(path))


def test_maps_are_read_lazily(tmp_path: Path) -> None:
    write_pictures(tmp_path / "m", ["1.png", "2.png", "3.png"])
    (tmp_path / "m" / "3.png").write_bytes(b"broken")
    found = read_maps(tmp_path / "m", fps=1)
    assert next(found)[0] == 0
    assert next(found)[0] == 1
    with pytest.raises(MediaError, match=r"3\.png: not a picture"):
        next(found)


# --- what can't be read


def test_unreadable_files(tmp_path: Path) -> None:
    def refused(name: str, content: bytes | None, message: str) -> None:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(MediaError, match=message):
            list(read_maps(path))

    refused("missing.mkv", None, r"missing\.mkv: no such file")
    refused("missing_%04d.png", None, "no such file, and as a pattern.*matches nothing")
    refused("empty.mkv", b"", "empty")
    refused("noise.mkv", np.random.default_rng(0).bytes(5000), "not a video or picture")
    refused("noise.png", np.random.default_rng(0).bytes(5000), "not a picture")
    refused("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", "names other files")
    (tmp_path / "folder").mkdir()
    refused("folder", None, "holds no picture")
    with pytest.raises(MediaError, match="fps is 0"):
        MapReader(tmp_path / "folder", fps=0)
    with pytest.raises(MediaError, match="not a file name"):
        MapReader("")
    with pytest.raises(MediaError, match="not a file name"):
        MapReader("a\0b")


def test_sound_is_not_a_map(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(MediaError, match=r"no video to read maps from \(it holds audio\)"):
        MapReader(path)


def test_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "m.mkv"
    with MapWriter(path, make_video(10.0), {}) as writer:
        for index in range(100):
            writer.add(index / 10, make_maps(1, (45, 80), index)[0])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"m\.mkv: (ends after|damaged after) \d+ maps"):
        list(read_maps(path))


def test_pictures_of_two_sizes(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "1.png")
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "2.png")
    with pytest.raises(MediaError, match="6x4 px, those before have 4x4"):
        list(read_maps(tmp_path, fps=1))


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_masks_of_real_objects() -> None:
    reader = MapReader(DATA / "object-masks" / "camel.mask.mkv")
    found = list(reader.maps())
    assert reader.frame_size == (854, 480)
    assert reader.maps_per_second == pytest.approx(24, rel=0.001)
    assert len(found) == round((reader.duration_seconds or 0) * 24)
    assert {float(value) for value in np.unique(found[0][1])} == {0.0, 1.0}
