"""AV1 by SVT-AV1: files, headers, and what is refused."""

from __future__ import annotations

import os
import re
import shutil
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import media
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from coding import main_packets
from command import run

import stcodec
from stcodec.attention.center import center_density
from stcodec.attention.grids import peak_one
from stcodec.encoders import svt_library
from stcodec.encoders.av1_headers import frame_quantisers
from stcodec.encoders.hdr import hdr_metadata
from stcodec.encoders.levels import quantise_levels
from stcodec.encoders.plan import make_plan
from stcodec.encoders.round_trip import RoundTrip
from stcodec.encoders.session import EncoderSession
from stcodec.encoders.svtav1 import QindexOffsets, library_params
from stcodec.encoders.table import find_encoder
from stcodec.errors import OptionsError, TargetError
from stcodec.media.decode import VideoReader
from stcodec.options import EncodeOptions, OffsetPolicy
from stcodec.pipeline.rate import crf_at_rate
from stcodec.qp import QpLaw
from stcodec.types import BlockGrid, FloatArray

STRONG = OffsetPolicy(floor=0.6, anchor="attended")
"""Offsets that reach several levels."""


def encoded(source: Path, target: Path, **fields: object) -> Path:
    stcodec.encode(source, target, **{"encoder": "libsvtav1", "preset": "12", "attention": "none", **fields})  # type: ignore[arg-type]
    return target


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm", "m4v"])
def test_every_frame_with_its_time_in_every_container(tmp_path: Path, ending: str) -> None:
    ticks = [0, 40, 80, 200, 240, 1000, 1040]
    source = media.make_video(tmp_path / "vfr.mkv", size=(130, 70), ticks=ticks)
    done = encoded(source, tmp_path / f"out.{ending}")
    assert media.video_pts(done) == media.video_pts(source)
    with av.open(str(done)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("libdav1d", 130, 70)
        assert len(list(container.decode(video=0))) == len(ticks)


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (65, 64)])
def test_small_and_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    source = media.make_video(tmp_path / "in.mkv", size=size, frames=5, pix_fmt="yuv444p")
    done = encoded(source, tmp_path / "out.mkv")
    assert [frame.shape for frame in media.frames_of(done)] == [size[::-1]] * 5


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_hdr10_is_kept(tmp_path: Path, ending: str) -> None:
    source = media.make_hdr10_video(tmp_path / "hdr.mkv")
    done = encoded(source, tmp_path / f"out.{ending}")
    numbers = []
    for path in (source, done):
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            assert frame.format.name == "yuv420p10le"
            assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (9, 16, 9)
            found = hdr_metadata(frame)
            assert found is not None and found.mastering and found.light_level == "1000,400"
            numbers.append([int(one) for one in re.findall(r"\d+", found.mastering)])
    assert numbers[0] == pytest.approx(numbers[1], abs=1)  # AV1 keeps binary fractions


def test_the_name_for_playlists_is_that_of_the_header(tmp_path: Path) -> None:
    source = media.make_video(tmp_path / "in.mkv", size=(384, 216), frames=3)
    done = encoded(source, tmp_path / "out.mp4")
    with av.open(str(done)) as container:
        context = container.streams.video[0].codec_context
        header = bytes(context.extradata or b"")  # av1C: its second byte has profile and level
        profile, level = header[1] >> 5, header[1] & 0x1F

        class Video:
            extradata = header[4:]
            width_px, height_px, frame_rate, pix_fmt = 384, 216, None, "yuv420p"

        assert find_encoder("libsvtav1").playlist_codec(Video()) == f"av01.{profile}.{level:02d}M.08"


def test_key_frames_are_placed(tmp_path: Path) -> None:
    source = media.make_video(tmp_path / "in.mkv", size=(128, 96), frames=30, cuts=[7])
    done = encoded(source, tmp_path / "out.mkv", keyint=10)
    assert [number for number, packet in enumerate(main_packets(done)) if packet.is_keyframe] == [0, 10, 20]


# --- with a map


@pytest.fixture(scope="module")
def proven() -> None:
    """The library is driven in this process only where a process of its own came back."""
    assert svt_library.works() == ""


@pytest.fixture(scope="module")
def video(videos: Path) -> Path:
    return media.make_video(videos / "for_av1.mp4", size=(640, 360), frames=24, cuts=[10])


LIBRARY: list[dict[str, str]] = [
    {"preset": "10", "crf": "40"},
    {"preset": "8", "crf": "30", "g": "7"},
    {"preset": "11", "qp": "45", "pix_fmt": "yuv420p10le"},
    {"preset": "12", "crf": "40", "g": "1"},
    {"preset": "12", "svtav1-params": "tune=0:film-grain=8:enable-qm=1:enable-variance-boost=1:enable-tf=0:lp=1"},
    {"preset": "10", "crf": "50", "svtav1-params": "pred-struct=1:content-light=9,5"},
    {"preset": "12", "svtav1-params": "width=64:h=64:input-depth=10:color-format=3:keyint=5"},
]  # fmt: skip


@pytest.mark.parametrize("options", LIBRARY, ids=str)
def test_without_a_map_the_library_writes_what_pyav_does(proven: None, video: Path, options: dict[str, str]) -> None:
    context = av.CodecContext.create("libsvtav1", "w")
    assert isinstance(context, VideoCodecContext)
    chosen = dict(options)
    context.pix_fmt, gop = chosen.pop("pix_fmt", "yuv420p"), chosen.pop("g", None)
    context.width, context.height = 640, 360
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 2
    if gop:
        context.gop_size = int(gop)
    context.options = chosen
    ours = svt_library.SvtEncoder(library_params(context), takes_maps=False)
    units = [list[tuple[object, ...]](), list[tuple[object, ...]]()]
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            shown = frame.reformat(format=context.pix_fmt)
            shown.pts, shown.time_base = number, Fraction(1, 25)
            ours.send(shown, key=gop == "1")
            units[0] += [(bytes(one), one.pts, one.dts, one.is_keyframe) for one in ours.packets()]
            units[1] += [(bytes(one), one.pts, one.dts, one.is_keyframe) for one in context.encode(shown)]
    units[0] += [(bytes(one), one.pts, one.dts, one.is_keyframe) for one in ours.rest()]
    units[1] += [(bytes(one), one.pts, one.dts, one.is_keyframe) for one in context.encode(None)]
    ours.close()
    assert len(units[0]) == 24
    assert units[0] == units[1]


@pytest.mark.parametrize(("ending", "pix_fmt"), [("mp4", "yuv420p"), ("mkv", "yuv420p10le"), ("webm", "yuv420p")])
def test_every_frame_has_the_levels_that_were_asked_for(
    proven: None, video: Path, tmp_path: Path, ending: str, pix_fmt: str
) -> None:
    target = tmp_path / f"out.{ending}"
    fields: dict[str, Any] = {"preset": "10", "crf": 40, "attention": "center", "pix_fmt": pix_fmt, "policy": STRONG}
    report = stcodec.encode(video, target, encoder="libsvtav1", **fields)
    applied = report.offsets_applied
    assert (applied.method, applied.verdict, applied.share_applied) == ("headers", "applied", 1.0)
    assert media.video_pts(target) == media.video_pts(video)
    assert len(media.frames_of(target)) == 24
    frames = list(frame_quantisers(target))
    assert len(frames) >= 24
    wanted = QindexOffsets(40).segments(quantise_levels(center_offsets(), 8)).qindex.tolist()
    assert len(wanted) > 3 and min(wanted) >= 0 and sorted(wanted, reverse=True) == wanted
    for frame in frames:
        assert frame.qindex_offsets is not None
        assert list(frame.qindex_offsets) == wanted[: len(frame.qindex_offsets)]
        assert frame.base_q_idx > 0


def center_offsets() -> FloatArray:
    """What the centre prior asks for in the video."""
    return QpLaw(BlockGrid(640, 360, 64), STRONG)(peak_one(center_density(36, 64)))


@pytest.mark.parametrize("left", [True, False])
def test_quality_falls_only_where_it_is_asked_for(proven: None, video: Path, left: bool) -> None:
    with av.open(str(video)) as container:
        frames = list(container.decode(video=0))
        info = VideoReader(video).info
    plan = make_plan(EncodeOptions(encoder="libsvtav1", crf=30, preset="10", attention="center"), info)
    offsets = np.full(plan.grid.shape, -1.0, np.float32)
    offsets[:, :5] += 8 * left
    offsets[:, 5:] += 8 * (not left)
    flat = np.full(plan.grid.shape, -1.0, np.float32)
    errors = []
    for wanted in (flat, offsets):
        trip = RoundTrip(plan)
        pairs = [pair for frame in frames for pair in trip.send(frame, wanted)] + trip.flush()
        assert len(pairs) == 24
        squares = [(media.luma_of(one).astype(float) - media.luma_of(other)) ** 2 for one, other in pairs]
        errors.append(np.mean(squares, axis=0))
    change_db = [10 * np.log10(errors[1][:, side].mean() / errors[0][:, side].mean()) for side in (np.s_[:320], np.s_[320:])]
    worse, same = change_db if left else change_db[::-1]
    assert worse > 2
    assert abs(same) < 0.5


def test_a_map_may_move(proven: None, video: Path) -> None:
    """From frame 12 on the other side is the better one, and the levels change from flat to two."""
    info = VideoReader(video).info
    plan = make_plan(EncodeOptions(encoder="libsvtav1", crf=40, preset="10", attention="center"), info)
    session = EncoderSession(plan)
    packets = list[Any]()
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            offsets = np.zeros(plan.grid.shape, np.float32)
            offsets[:, :5] = 6.0 * (number >= 12)
            packets += session.send(frame, offsets, key=number == 12)
    packets += session.flush()
    assert [number for number, packet in enumerate(packets) if packet.is_keyframe] == [0, 12]
    assert session.given is not None and set(np.unique(np.rint(session.given)).tolist()) == {0.0, 6.0}


def test_verify_reads_what_a_file_says(proven: None, video: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps.mkv"
    stcodec.maps(video, maps, attention="center")
    guided, plain = tmp_path / "guided.mkv", tmp_path / "plain.mkv"
    encode = partial(stcodec.encode, video, encoder="libsvtav1", preset="10", crf=40, policy=STRONG)
    measured = encode(guided, attention=f"map:{maps}", verify=True).offsets_applied
    encode(plain, attention="none")
    assert (measured.method, measured.verdict) == ("effect", "applied")
    assert "the offsets of 100% of the blocks are in the headers" in measured.why
    listed = stcodec.verify(guided, maps=maps, policy=STRONG)
    assert (listed.method, listed.verdict) == ("headers", "applied")
    assert listed.slope is not None and listed.slope > 0.5
    assert stcodec.verify(plain, maps=maps, policy=STRONG).verdict == "not-applied"
    assert stcodec.verify(guided, maps=maps, plain=plain, reference=video, policy=STRONG).verdict == "applied"


REFUSED = [
    ({"bitrate_kbps": 300.0, "two_pass": True}, "no second pass"),
    ({"preset": "3"}, "preset 3: libsvtav1 is driven with a map at presets 4 to 13"),
    ({"extra": {"svtav1-params": "rc=1"}}, "rc=1 drops the QP offsets silently"),
    ({"extra": {"svtav1-params": "lossless=1"}}, "nothing to quantise"),
    ({"extra": {"svtav1-params": "min-qp=0"}}, "use min-qp=1"),
    ({"extra": {"svtav1-params": "crf=many"}}, "crf=many: libsvtav1 with a map takes 1 to 63"),
    ({"extra": {"svtav1-params": "qp=0"}}, "qp=0: libsvtav1 with a map takes 1 to 63"),
    ({"extra": {"qp": "64"}}, "qp=64: libsvtav1 with a map takes 1 to 63"),
    ({"extra": {"svtav1-params": "no-such=1"}}, "SVT-AV1 refuses no-such=1"),
    ({"extra": {"qmin": "3"}}, "takes its options in --opt svtav1-params"),
    ({"pix_fmt": "yuv422p"}, "can't encode 'yuv422p'"),
    ({"pix_fmt": "yuv444p"}, "can't encode 'yuv444p'"),
    ({"crf": 64.0}, "libsvtav1 takes 1 to 63"),
    ({"levels": 9}, "takes at most 8 offset levels"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "words"), REFUSED, ids=str)
def test_what_can_not_be_done_with_a_map(
    proven: None, video: Path, tmp_path: Path, fields: dict[str, object], words: str
) -> None:
    with pytest.raises(OptionsError, match=words):
        encoded(video, tmp_path / "out.mkv", **{"attention": "center", **fields})
    assert list(tmp_path.iterdir()) == []


def test_too_small(proven: None, tmp_path: Path) -> None:
    source = media.make_video(tmp_path / "in.mkv", size=(32, 12), frames=2)
    with pytest.raises(OptionsError, match="32x12 px: libsvtav1 needs at least 16x16"):
        encoded(source, tmp_path / "out.mkv", attention="center")


@pytest.mark.parametrize(
    ("version", "words"), [(None, "not found"), ((1, 4, 1), "is SVT-AV1 1.4.1"), ((5, 0, 0), "3.0 to 4.1")]
)
def test_a_library_that_is_not_known_is_not_tried(version: tuple[int, ...] | None, words: str) -> None:
    assert words in svt_library.unknown_version(version)


@pytest.mark.parametrize("crf", [1, 5, 20, 35, 50, 63])
def test_offsets_never_reach_below_the_base(crf: int) -> None:
    offsets = QindexOffsets(crf)
    assert 1 <= offsets.lowered_crf <= crf
    asked = np.linspace(-12, 12, 8, dtype=np.float32)[None]
    segments, given = offsets.segments(asked), offsets.applied(asked)
    assert segments.qindex.min() >= 0 and len(segments.qindex) <= 8
    assert (np.diff(given) >= 0).all() and given.min() >= -5
    inside = (given > given.min() + 0.01) & (given < given.max() - 0.01)
    assert given[inside] == pytest.approx(asked[inside], abs=0.8)


def test_a_search_for_a_quality_finds_the_crf_of_each_shot(proven: None, video: Path, tmp_path: Path) -> None:
    report = stcodec.match(
        video, tmp_path / "out.mkv", goal=stcodec.MatchOptions(crf=45), encoder="libsvtav1", preset="12", attention="center"
    )
    assert report.match is not None and report.match.control == "shots"
    assert report.offsets_applied.verdict == "applied"
    assert len(media.frames_of(tmp_path / "out.mkv")) == 24


def test_a_bitrate_is_reached_by_a_search_of_the_crf(proven: None, video: Path, tmp_path: Path) -> None:
    same = {"encoder": "libsvtav1", "preset": "12", "attention": "neural"}
    by_crf = stcodec.encode(video, tmp_path / "wanted.mkv", crf=43, **same)  # type: ignore[arg-type]
    wanted = by_crf.video_kbps
    report = stcodec.encode(video, tmp_path / "out.mkv", bitrate_kbps=1.02 * wanted, **same)  # type: ignore[arg-type]
    assert report.encoder_options["crf"] == "43" and report.video_kbps == pytest.approx(wanted, rel=0.01)
    assert report.confidence == pytest.approx(by_crf.confidence) and report.looks == by_crf.looks
    assert report.offsets_applied.verdict == "applied"
    with pytest.raises(TargetError, match=r"5 kbit/s can't be reached: at crf 63, the highest, it is \d+ kbit/s"):
        stcodec.encode(video, tmp_path / "small.mkv", bitrate_kbps=5, **same)  # type: ignore[arg-type]
    assert not (tmp_path / "small.mkv").exists()
    options = stcodec.EncodeOptions(bitrate_kbps=300, **same)  # type: ignore[arg-type]
    with VideoReader(video) as reader, pytest.raises(OptionsError, match=r"stcodec\.encode searches a crf for it"):
        stcodec.EncoderSession(stcodec.make_plan(options, reader.info))


@pytest.mark.parametrize("halving", [3.0, 8.0, 25.0])
@pytest.mark.parametrize("wanted_kbps", [1, 40, 300, 3000, 10**6])
def test_the_search_finds_the_lowest_crf_that_fits(halving: float, wanted_kbps: float) -> None:
    asked = list[int]()

    def kbps_at(crf: int) -> float:
        asked.append(crf)
        return float(1000 * 2 ** ((35 - crf) / halving) * (1.02 if crf % 2 else 1))

    fitting = [crf for crf in range(1, 64) if kbps_at(crf) <= wanted_kbps]
    asked.clear()
    if fitting:
        assert crf_at_rate(kbps_at, wanted_kbps, 1, 63, 35) == fitting[0]
    else:
        with pytest.raises(TargetError, match="at crf 63, the highest"):
            crf_at_rate(kbps_at, wanted_kbps, 1, 63, 35)
    assert len(asked) <= 7 and len(set(asked)) == len(asked)


@pytest.mark.parametrize("attention", ["none", "center"])
def test_no_thread_is_a_real_time_one(proven: None, video: Path, attention: str) -> None:
    """As root the library makes its own threads such ones, and the one that opens it: all else would have to wait."""
    with VideoReader(video) as reader:
        options = EncodeOptions(encoder="libsvtav1", preset="12", crf=45, attention=attention)
        session = stcodec.EncoderSession(stcodec.make_plan(options, reader.info))
        policies = {os.sched_getscheduler(int(one.name)) for one in Path("/proc/self/task").iterdir()}
        assert policies == {os.SCHED_OTHER}
        del session


def test_batch_and_ladder(capfd: pytest.CaptureFixture[str], proven: None, video: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(video, tmp_path / "in" / "a.mp4")
    coding = ["--encoder", "libsvtav1", "--preset", "12", "--attention", "center"]
    assert run(capfd, "batch", tmp_path / "in", tmp_path / "out", "--crf", "45", *coding).status == 0
    assert all(frame.qindex_offsets for frame in frame_quantisers(tmp_path / "out" / "a.mp4"))
    assert run(capfd, "batch", tmp_path / "in", tmp_path / "ladder", "--ladder", "180p@200k", *coding).status == 0
    assert all(frame.qindex_offsets for frame in frame_quantisers(tmp_path / "ladder" / "a" / "media_0.m3u8"))


def test_live_without_a_map_only(capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path) -> None:
    coding = ["--encoder", "libsvtav1", "--preset", "12", "--bitrate", "300k"]
    peak = ["--maxrate", "400k"]  # which its low delay does not know
    assert run(capfd, "stream", video, tmp_path / "out.mkv", *coding, *peak, "--attention", "none").status == 0
    assert len(media.frames_of(tmp_path / "out.mkv")) == 24
    done = run(capfd, "stream", video, tmp_path / "map.mkv", *coding, "--attention", "center")
    assert done.status == 2 and "a bitrate drops the QP offsets silently" in done.err
