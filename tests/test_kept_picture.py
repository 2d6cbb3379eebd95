"""What the picture is to look like and when it is shown: colour, HDR10, rotation, sizes, times."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import media
import numpy as np
import pytest
from av.video.reformatter import ColorRange
from coding import coded_qps
from media import ffmpeg_says, run_ffmpeg, video_pts
from numpy.typing import NDArray

import stcodec
from stcodec.errors import EncoderError, OptionsError
from stcodec.media.side_data import side_data

QUICK = {"libx264": "veryfast", "libx265": "veryfast", "libvpx-vp9": "8"}
STRONG: dict[str, Any] = {"policy": "strong", "anchor": "attended"}
"""Offsets that stand out from the encoder's own."""
Colours = tuple[int, int, int, int]


def encode(
    source: Path, output: Path, encoder: str = "libx264", attention: str = "center", **fields: Any
) -> stcodec.EncodeReport:
    return stcodec.encode(source, output, **{"encoder": encoder, "attention": attention, "preset": QUICK[encoder], **fields})


def first_frame(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def colours(frame: av.VideoFrame) -> Colours:
    """(range, primaries, transfer, matrix) as ffmpeg's numbers."""
    return int(frame.color_range), int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)


def rgb(path: Path) -> NDArray[np.float64]:
    """The first frame as a player that heeds its colour tags shows it, read by ffmpeg: mean R, G and B."""
    shown = path.with_name(f"shown_{path.stem}_{path.suffix[1:]}.png")
    run_ffmpeg("-i", path, "-frames:v", "1", "-update", "1", "-vf", "scale=out_range=full,format=rgb24", shown)
    picture = cv2.imread(str(shown))
    assert picture is not None
    return np.asarray(picture[:, :, ::-1].reshape(-1, 3).mean(axis=0), np.float64)


# --- colour


def hdr10(path: Path) -> tuple[list[Fraction], tuple[int, int], Colours]:
    """(mastering display, content light level, colour tags)."""
    frame = first_frame(path)
    display, light = side_data(frame, "MASTERING_DISPLAY_METADATA"), side_data(frame, "CONTENT_LIGHT_LEVEL")
    assert display is not None and light is not None
    numbers = struct.unpack_from("=20i", display)
    most, average = struct.unpack_from("=2I", light)
    return [Fraction(*numbers[i : i + 2]) for i in range(0, 20, 2)], (most, average), colours(frame)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_hdr10_is_kept(hdr10_mkv: Path, tmp_path: Path, encoder: str, suffix: str) -> None:
    report = encode(hdr10_mkv, tmp_path / f"out.{suffix}", encoder)
    display, light, tags = hdr10(tmp_path / f"out.{suffix}")
    assert (display, light, tags) == hdr10(hdr10_mkv)
    assert light == (1000, 400)
    assert display[:2] == [Fraction(34000, 50000), Fraction(16000, 50000)]  # red
    assert display[8:] == [Fraction(1, 10000), Fraction(1000)]
    assert tags == (1, 9, 16, 9)
    assert report.pix_fmt == first_frame(tmp_path / f"out.{suffix}").format.name == "yuv420p10le"
    assert "bt2020nc/bt2020/smpte2084" in ffmpeg_says(tmp_path / f"out.{suffix}")


def test_hdr10_that_an_encoder_has_no_place_for_is_said(hdr10_mkv: Path, tmp_path: Path) -> None:
    report = encode(hdr10_mkv, tmp_path / "out.webm", "libvpx-vp9")
    assert any("HDR10 mastering data is dropped" in message for message in report.messages)
    assert any("encoded as yuv420p" in message for message in report.messages)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (2, 1, 1, 1), (1, 6, 6, 6)])
def test_colour_tags_are_kept(tmp_path: Path, encoder: str, tags: Colours) -> None:
    def tag(stream: av.VideoStream) -> None:
        context = stream.codec_context
        context.color_range, context.color_primaries, context.color_trc, context.colorspace = tags

    source = media.make_video(tmp_path / "tagged.mkv", frames=5, prepare=tag)
    assert colours(first_frame(source)) == tags
    encode(source, tmp_path / "out.mkv", encoder)
    assert colours(first_frame(tmp_path / "out.mkv"))[0::3] == tags[0::3]
    if encoder != "libvpx-vp9":  # Matroska alone carries these for VP9
        assert colours(first_frame(tmp_path / "out.mkv")) == tags
    assert rgb(tmp_path / "out.mkv") == pytest.approx(rgb(source), abs=2)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
@pytest.mark.parametrize("kind", ["bgr0", "gbrp", "yuvj420p", "gray", "yuv422p12le", "yuv420p10le"])
def test_other_formats_come_out_nearest_and_look_the_same(tmp_path: Path, encoder: str, kind: str) -> None:
    source = make_of_kind(tmp_path / "source.mkv", kind)
    nearest = {
        "libx264": {"bgr0": "yuv444p", "gbrp": "yuv444p", "yuv422p12le": "yuv422p10le"},
        "libx265": {"bgr0": "yuv444p", "gbrp": "yuv444p", "yuvj420p": "yuv420p"},
        "libvpx-vp9": dict.fromkeys(["bgr0", "gbrp", "gray", "yuvj420p", "yuv422p12le", "yuv420p10le"], "yuv420p"),
    }[encoder].get(kind, kind)
    report = encode(source, tmp_path / "out.mkv", encoder, crf=12, **STRONG)
    assert report.pix_fmt == nearest
    assert any(f"encoded as {nearest}" in message for message in report.messages) == (nearest != kind)
    assert rgb(tmp_path / "out.mkv") == pytest.approx(rgb(source), abs=3)
    assert report.offsets_applied.verdict in ("applied", "not-measured")


def make_of_kind(path: Path, kind: str) -> Path:
    if kind == "yuvj420p":
        return media.make_video(path, frames=5, pix_fmt=kind, codec="mjpeg", options={})
    if kind == "gbrp":  # as screen recorders write it, tagged as RGB
        return media.make_video(
            path, frames=5, pix_fmt="bgr0", codec="libx264rgb", options={"preset": "ultrafast", "crf": "5"}
        )
    return media.make_video(path, frames=5, pix_fmt=kind, codec="ffv1", options={})


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_another_depth_can_be_asked_for(tmp_path: Path, encoder: str) -> None:
    source = media.make_video(tmp_path / "deep.mkv", frames=8, pix_fmt="yuv420p10le")
    report = encode(source, tmp_path / "out.mkv", encoder, pix_fmt="yuv420p", crf=16, verify=True)
    assert report.pix_fmt == "yuv420p"
    frames = media.frames_of(tmp_path / "out.mkv")
    assert frames[0].dtype == np.uint8
    originals = media.frames_of(source)
    assert min(media.psnr(one, np.asarray(other >> 2, np.uint8)) for one, other in zip(frames, originals, strict=True)) > 36
    assert report.offsets_applied.verdict == "applied"


# --- geometry


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_kept_and_maps_turn_with_it(tmp_path: Path, degrees: int, suffix: str) -> None:
    """A mask of the left half of what a player shows."""
    source = media.make_rotated_video(tmp_path / "turned.mp4", degrees, frames=6)
    width, height = (320, 180) if degrees == 180 else (180, 320)
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 255
    cv2.imwrite(str(tmp_path / "left.png"), mask)
    output = tmp_path / f"out.{suffix}"
    fields: dict[str, Any] = {"crf": 26, "floor": 0.15}  # offsets that stand out
    report = encode(source, output, attention=f"mask:{tmp_path / 'left.png'}", **fields)
    assert report.offsets_applied.verdict == "applied"
    assert side_data(first_frame(output), "DISPLAYMATRIX") == side_data(first_frame(source), "DISPLAYMATRIX") is not None

    encode(source, tmp_path / "plain.mkv", attention="none", **fields)
    (_, ours), (_, theirs) = (next(iter(coded_qps(path).values())) for path in (output, tmp_path / "plain.mkv"))
    assert ours is not None and theirs is not None
    change = np.rot90(ours - theirs, -degrees // 90)  # as it is shown
    middle = change.shape[1] // 2
    assert change[:, : middle - 1].mean() < change[:, middle + 1 :].mean() - 4

    original, coded = shown(source), shown(output)
    assert original.shape == coded.shape == (height, width)
    errors = (coded.astype(float) - original) ** 2
    assert errors[:, : width // 2 - 16].mean() < 0.7 * errors[:, width // 2 + 16 :].mean()


def shown(path: Path) -> NDArray[np.uint8]:
    """The first frame as ffmpeg turns it for display, gray."""
    picture = path.with_name(f"shown_{path.stem}.png")
    run_ffmpeg("-i", path, "-frames:v", "1", "-update", "1", "-pix_fmt", "gray", picture)
    return np.asarray(cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE), np.uint8)


def test_a_rotation_that_the_container_has_no_place_for_is_said(rotated_mp4: Path, tmp_path: Path) -> None:
    report = encode(rotated_mp4, tmp_path / "out.ts", preset="ultrafast")
    assert side_data(first_frame(tmp_path / "out.ts"), "DISPLAYMATRIX") is None
    assert "the rotation by 90 degrees is lost: mpegts has no place for it; use .mp4" in report.messages


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
def test_odd_sizes_lose_no_pixel(odd_mp4: Path, tmp_path: Path, encoder: str) -> None:
    report = encode(odd_mp4, tmp_path / "out.mkv", encoder, crf=16, verify=True, **STRONG)
    frame = first_frame(tmp_path / "out.mkv")
    assert (frame.width, frame.height, report.width_px, report.height_px) == (321, 179, 321, 179)
    assert media.psnr_y(tmp_path / "out.mkv", odd_mp4) > 34
    assert report.offsets_applied.verdict == "applied"


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_odd_sizes_of_subsampled_videos_get_full_chroma(tmp_path: Path, encoder: str) -> None:
    source = media.make_video(tmp_path / "odd.mkv", size=(321, 179), frames=5, codec="ffv1", options={})
    report = encode(source, tmp_path / "out.mkv", encoder, crf=16)
    assert report.pix_fmt == "yuv444p" and any("encoded as yuv444p" in message for message in report.messages)
    assert media.psnr_y(tmp_path / "out.mkv", source) > 34
    with pytest.raises(OptionsError, match="321x179 px can't be yuv420p"):
        encode(source, tmp_path / "no.mkv", encoder, pix_fmt="yuv420p")


@pytest.mark.parametrize(
    ("encoder", "suffix", "kept"),
    [("libx264", "mkv", True), ("libx264", "mp4", True), ("libx265", "mp4", True), ("libvpx-vp9", "mp4", True),
     ("libvpx-vp9", "webm", False)],
)  # fmt: skip
def test_the_aspect_of_pixels_is_kept_or_its_loss_said(tmp_path: Path, encoder: str, suffix: str, kept: bool) -> None:
    def stretch(stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    source = media.make_video(tmp_path / "wide.mp4", frames=5, prepare=stretch)
    report = encode(source, tmp_path / f"out.{suffix}", encoder)
    assert ("SAR 4:3" in ffmpeg_says(tmp_path / f"out.{suffix}")) == kept
    assert any("aspect 4/3 is lost" in message for message in report.messages) == (not kept)


def test_interlaced_videos_are_refused_where_offsets_would_be_lost(interlaced_mkv: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is interlaced: libx264 drops the offsets"):
        encode(interlaced_mkv, tmp_path / "out.mkv")
    assert list(tmp_path.iterdir()) == []
    report = encode(interlaced_mkv, tmp_path / "hevc.mkv", "libx265", verify=True, **STRONG)
    assert report.offsets_applied.verdict == "applied"
    assert any("players will take them for progressive" in message for message in report.messages)


def test_interlaced_videos_are_marked_so_or_said_not_to_be(interlaced_mkv: Path, tmp_path: Path) -> None:
    for name, extra, marked in (("plain", {}, False), ("fields", {"flags": "+ildct"}, True)):
        report = encode(interlaced_mkv, tmp_path / f"{name}.mkv", attention="none", extra=extra)
        assert first_frame(tmp_path / f"{name}.mkv").interlaced_frame == marked
        assert any("--opt flags=+ildct marks them" in message for message in report.messages) == (not marked)


# --- time


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_variable_frame_times_are_exact_in_mp4(vfr_mp4: Path, tmp_path: Path, encoder: str) -> None:
    encode(vfr_mp4, tmp_path / "out.mp4", encoder)
    times = video_pts(tmp_path / "out.mp4")
    assert times == video_pts(vfr_mp4)
    assert times[0] == Fraction(14, 10)  # the start is kept as well
    assert len({after - before for before, after in pairwise(times)}) > 20


@pytest.mark.parametrize(
    ("source", "suffix"), [("vfr_mp4", "mkv"), ("vfr_mkv", "mp4"), ("vfr_mkv", "mkv"), ("vfr_mkv", "webm")]
)
def test_and_to_the_millisecond_elsewhere(request: pytest.FixtureRequest, tmp_path: Path, source: str, suffix: str) -> None:
    path: Path = request.getfixturevalue(source)
    encode(path, tmp_path / f"out.{suffix}", "libvpx-vp9" if suffix == "webm" else "libx264")
    ours, theirs = video_pts(tmp_path / f"out.{suffix}"), video_pts(path)
    assert len(ours) == 40
    assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) <= Fraction(1, 1000)
    assert ours == theirs or source == "vfr_mp4"


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_frames_of_an_avi_with_b_frames_are_in_order(bframes_avi: Path, tmp_path: Path, suffix: str) -> None:
    report = encode(bframes_avi, tmp_path / f"out.{suffix}")
    times = video_pts(tmp_path / f"out.{suffix}")
    assert [time - times[0] for time in times] == [Fraction(index, 25) for index in range(30)]
    assert media.psnr_y(tmp_path / f"out.{suffix}", bframes_avi) > 30
    assert report.offsets_applied.verdict == "applied"


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_open_gops_are_whole(open_gop_mp4: Path, tmp_path: Path, suffix: str) -> None:
    params = "open-gop=1:keyint=12:scenecut=0"
    report = encode(open_gop_mp4, tmp_path / f"out.{suffix}", extra={"x264-params": params})
    assert report.offsets_applied.verdict == "applied"
    assert len(video_pts(tmp_path / f"out.{suffix}")) == 48
    assert media.psnr_y(tmp_path / f"out.{suffix}", open_gop_mp4) > 30


def test_a_single_frame_is_a_video_too(tmp_path: Path) -> None:
    source = media.make_video(tmp_path / "one.mkv", frames=1)
    report = encode(source, tmp_path / "out.mp4")
    assert (report.frames, len(media.frames_of(tmp_path / "out.mp4"))) == (1, 1)
    assert report.offsets_applied.verdict == "applied"


def test_full_range_survives_a_change_of_container(tmp_path: Path) -> None:
    def full(stream: av.VideoStream) -> None:
        stream.codec_context.color_range = ColorRange.JPEG

    source = media.make_video(tmp_path / "full.mkv", frames=5, pix_fmt="yuv420p10le", prepare=full)
    encode(source, tmp_path / "out.mp4", "libx265")
    assert rgb(tmp_path / "out.mp4") == pytest.approx(rgb(source), abs=2)
