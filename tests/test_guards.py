"""Options that lose the offsets silently: each refusal is true of the encoder, each repair works, and nothing slips by."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np
import pytest
from coding import encode_frames, frames_for, left_gain_db, packet_qps

from stcodec.encoders.params import join_params, parse_params
from stcodec.encoders.plan import EncoderPlan, make_plan
from stcodec.encoders.session import EncoderSession
from stcodec.errors import EncoderError, OptionsError
from stcodec.options import EncodeOptions
from stcodec.types import VideoInfo

Options = Mapping[str, str]
VIDEO = VideoInfo(128, 128, Fraction(1, 25), Fraction(25), 0.32, 8, "yuv420p", 8, "h264")
CODECS = {"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9"}
QUIET = {"libx265": {"x265-params": "log-level=none"}}
REALTIME = {"deadline": "realtime", "cpu-used": "6", "aq-mode": "0"}

X264_REFUSED = [
    ({"qp": "28"}, "qp=28"),
    ({"x264-params": "qp=28"}, "qp=28"),
    ({"x264opts": "qp=28"}, "qp=28"),
    ({"aq-mode": "0"}, "aq-mode=0"),
    ({"aq-mode": "none"}, "aq-mode=0"),
    ({"x264-params": "aq-mode=0"}, "aq-mode=0"),
    ({"x264-params": "aq_mode=0"}, "aq-mode=0"),
    ({"x264-params": "aq-mode=00"}, "aq-mode=0"),
    ({"aq-mode": "0x0"}, "aq-mode=0"),
    ({"x264opts": "aq-mode=0"}, "aq-mode=0"),
    ({"aq-strength": "0", "mbtree": "0"}, "aq-strength=0"),
    ({"aq-strength": "0.0", "x264-params": "no-mbtree=1"}, "aq-strength=0"),
    ({"x264-params": "aq-strength=0:mbtree=0"}, "aq-strength=0"),
    ({"x264-params": "aq-strength=-1:mbtree=0"}, "aq-strength=-1"),
    ({"x264opts": "aq_strength=0:nombtree"}, "aq-strength=0"),
    ({"aq-strength": "0", "preset": "superfast"}, "aq-strength=0"),
    ({"aq-strength": "0", "preset": "ultrafast"}, "aq-strength=0"),
    ({"aq-strength": "0", "tune": "zerolatency"}, "aq-strength=0"),
    ({"aq-strength": "0", "rc-lookahead": "0"}, "aq-strength=0"),
    ({"crf": "0"}, "crf=0"),
    ({"crf": "0.9"}, "crf=0.9"),
    ({"x264-params": "crf=0"}, "crf=0"),
    ({"qmin": "28", "qmax": "28"}, "qmin=qmax=28"),
    ({"x264-params": "qpmin=28:qpmax=28"}, "qmin=qmax=28"),
]
X265_REFUSED = [
    ({"qp": "28"}, "qp=28"),
    ({"x265-params": "qp=28"}, "qp=28"),
    ({"x265-params": "lossless=1"}, "lossless=1"),
    ({"x265-params": "lossless"}, "lossless=1"),
    ({"x265-params": "hevc-aq=1"}, "hevc-aq=1"),
    ({"x265-params": "hevc_aq=1"}, "hevc-aq=1"),
    ({"x265-params": "aq-mode=0"}, "aq-mode=0"),
    ({"x265-params": "aq_mode=0"}, "aq-mode=0"),
    ({"x265-params": "aq-mode=0x0"}, "aq-mode=0"),
    ({"x265-params": "no-aq-mode=1"}, "aq-mode=0"),
    ({"x265-params": "aq-strength=0:cutree=0"}, "aq-strength=0"),
    ({"x265-params": "aq-strength=0:no-cutree=1"}, "aq-strength=0"),
    ({"x265-params": "no-cutree:aq-strength=0"}, "aq-strength=0"),
    ({"x265-params": "aq-strength=0", "tune": "zerolatency"}, "aq-strength=0"),
    ({"x265-params": "aq-strength=0", "tune": "grain"}, "aq-strength=0"),
    ({"x265-params": "aq-strength=0:keyint=1"}, "aq-strength=0"),
    ({"qmin": "28", "qmax": "28"}, "qmin=qmax=28"),
    ({"x265-params": "qpmin=28:qpmax=28"}, "qmin=qmax=28"),
]
VP9_REFUSED = [
    ({"deadline": "good"}, "deadline=good"),
    ({"deadline": "best"}, "deadline=best"),
    ({"quality": "good"}, "quality=good"),
    ({"cpu-used": "4"}, "cpu-used=4"),
    ({"speed": "4"}, "cpu-used=4"),
    ({"aq-mode": "1"}, "aq-mode=1"),
    ({"aq-mode": "3"}, "aq-mode=3"),
    ({"aq-mode": "cyclic"}, "aq-mode=cyclic"),
]
REFUSED = [
    *(("libx264", *row) for row in X264_REFUSED),
    *(("libx265", *row) for row in X265_REFUSED),
    *(("libvpx-vp9", *row) for row in VP9_REFUSED),
]
REPAIRED = [
    ("libx264", {"preset": "ultrafast"}, "preset=ultrafast"),
    ("libx264", {"preset": "ultrafast", "aq-mode": "-1"}, "preset=ultrafast"),
    ("libx264", {"preset": "veryfast", "tune": "psnr"}, "tune=psnr"),
    ("libx264", {"preset": "veryfast", "tune": "fastdecode,psnr"}, "tune=fastdecode,psnr"),
    ("libx265", {"preset": "ultrafast"}, "preset=ultrafast"),
    ("libx265", {"preset": "superfast"}, "preset=superfast"),
    ("libx265", {"preset": "veryfast", "tune": "grain"}, "tune=grain"),
    ("libx265", {"preset": "veryfast", "tune": "psnr", "x265-params": "cutree=0"}, "tune=psnr"),
    ("libvpx-vp9", {}, "real-time mode"),
]


def quickly(encoder: str, options: Options) -> dict[str, str]:
    """The options with what keeps a trial short and quiet, and with a quality that leaves offsets room."""
    base: dict[str, str] = {"crf": "28"} if "qp" not in options else {}
    base |= REALTIME if encoder == "libvpx-vp9" else {"preset": "veryfast"}
    if encoder == "libvpx-vp9" and "speed" in options:
        del base["cpu-used"]
    params = {**parse_params("log-level=none:qg-size=16"), **parse_params(options.get("x265-params", ""))}
    quiet = {"x265-params": join_params(params)} if encoder == "libx265" else {}
    return {**base, **options, **quiet}


def planned(encoder: str, options: Options, **fields: object) -> EncoderPlan:
    """The plan of an encode with offsets; preset and crf go where users give them."""
    extra = dict(options)
    preset, crf = extra.pop("preset", None), extra.pop("crf", None)
    number = None if crf is None else float(crf)
    chosen = {"encoder": encoder, "preset": preset, "crf": number, "extra": extra, "attention": "center", **fields}
    return make_plan(EncodeOptions(**chosen), VIDEO)  # type: ignore[arg-type]


def both(encoder: str, options: Options, delta_qp: float = 6) -> tuple[list[bytes], list[bytes]]:
    """The packets of an encode without offsets and with them, straight through PyAV."""
    plain, guided = (encode_frames(encoder, options, frames_for(), delta) for delta in (None, delta_qp))
    return plain, guided


def gain_db(encoder: str, options: Options) -> float:
    plain, guided = both(encoder, options)
    return left_gain_db(CODECS[encoder], plain, guided, frames_for())


def index_gap(packets: list[bytes]) -> float:
    """By how much VP9's quantiser index is higher on the right half than on the left; mean over frames that show it."""
    maps = [found for found in packet_qps("vp9", packets) if found is not None]
    middle = maps[0].shape[1] // 2
    return float(np.mean([found[:, middle:].mean() - found[:, :middle].mean() for found in maps]))


@pytest.mark.parametrize(("encoder", "options", "named"), REFUSED, ids=str)
def test_a_setting_that_loses_offsets_is_refused_by_name(encoder: str, options: Options, named: str) -> None:
    with pytest.raises(OptionsError, match=rf"{encoder} with {named}\b.*(use|leave) .*or encode with --attention none"):
        planned(encoder, options)
    assert planned(encoder, options, attention="none").has_offsets is False


@pytest.mark.parametrize(("encoder", "options", "named"), REFUSED, ids=str)
def test_the_refusal_is_true(encoder: str, options: Options, named: str) -> None:
    plain, guided = both(encoder, quickly(encoder, options))
    if encoder == "libvpx-vp9" and "aq-mode" in options:  # bits change, but not as asked for
        assert abs(index_gap(guided)) < 3
    else:
        assert plain == guided


def test_vp9_in_real_time_without_aq_takes_them() -> None:
    """12 QP steps on the way from left to right are some 60 of VP9's 256 quantiser indices."""
    assert 45 < index_gap(both("libvpx-vp9", quickly("libvpx-vp9", {}))[1]) < 70


@pytest.mark.parametrize(("encoder", "least_db"), [("libx264", 6), ("libx265", 5), ("libvpx-vp9", 0.6)])
def test_without_them_offsets_do_what_they_should(encoder: str, least_db: float) -> None:
    """The control of the test above: 6 QP better on the left, 6 worse on the right."""
    assert gain_db(encoder, quickly(encoder, {})) > least_db


@pytest.mark.parametrize(("encoder", "options", "said"), REPAIRED, ids=str)
def test_a_setting_that_can_be_repaired_loses_them_until_it_is(encoder: str, options: Options, said: str) -> None:
    raw = {"crf": "28", **QUIET.get(encoder, {}), **options}
    plain, guided = both(encoder, raw)
    assert plain == guided
    plan = planned(encoder, {"crf": "28", **options})
    assert any(said in message for message in plan.messages)
    assert gain_db(encoder, plan.options) > (0.6 if encoder == "libvpx-vp9" else 5)


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_the_repair_leaves_quality_where_it_was(encoder: str) -> None:
    """Adaptive quantisation at strength 0.01 is on for the offsets' sake and does nothing by itself."""
    plan = planned(encoder, {"crf": "28", "preset": "ultrafast"})
    off = encode_frames(encoder, {"crf": "28", "preset": "ultrafast", **QUIET.get(encoder, {})}, frames_for(), None)
    kept = encode_frames(encoder, plan.options, frames_for(), None)
    assert sum(map(len, kept)) == pytest.approx(sum(map(len, off)), rel=0.02)


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("libx264", {"aq-strength": "0.01", "mbtree": "0"}),
        ("libx264", {"aq-strength": "-1", "mbtree": "0"}),
        ("libx264", {"preset": "ultrafast", "aq-mode": "1"}),
        ("libx264", {"x264-params": "interlaced=1"}),
        ("libx264", {"crf": "1"}),
        ("libx264", {"x264-params": "no-interlaced=1:mbtree=0"}),
        ("libx265", {"x265-params": "aq-strength=0.01:cutree=0"}),
        ("libx265", {"x265-params": "no-lossless=1:hevc-aq=0"}),
        ("libx265", {"preset": "ultrafast", "x265-params": "aq-mode=1"}),
        ("libvpx-vp9", {"cpu-used": "8"}),
    ],
    ids=str,
)
def test_what_is_next_to_a_trap_is_no_trap(encoder: str, options: Options) -> None:
    plan = planned(encoder, {"crf": "28", **options})
    assert not any("kept on" in message for message in plan.messages)
    assert gain_db(encoder, {"preset": "veryfast", **plan.options} if encoder != "libvpx-vp9" else plan.options) > 0.6


def test_lossless_h264_is_a_matter_of_depth() -> None:
    deep = make_plan(
        EncodeOptions(crf=0, attention="center"),
        VideoInfo(128, 128, Fraction(1, 25), Fraction(25), 0.32, 8, "yuv420p10le", 10, "h264"),
    )
    plain, guided = (
        encode_frames("libx264", {**deep.options, "preset": "veryfast"}, frames_for(pix_fmt="yuv420p10le"), delta)
        for delta in (None, 6)
    )
    assert plain != guided


def test_vp9_has_no_offsets_on_key_frames() -> None:
    plain, guided = both("libvpx-vp9", {**REALTIME, "crf": "32", "g": "1"})
    assert plain == guided
    with pytest.raises(OptionsError, match="keyint is 1: libvpx-vp9 takes no offsets on key frames"):
        planned("libvpx-vp9", {}, keyint=1)
    assert planned("libvpx-vp9", {}, keyint=2).keyint == 2
    assert planned("libvpx-vp9", {}, keyint=1, attention="none").keyint == 1


def test_vp9_lossless_is_refused() -> None:
    with pytest.raises(OptionsError, match=r"lossless=1 .*nothing to quantise"):
        planned("libvpx-vp9", {"lossless": "1"})


def test_x265_gets_block_fine_maps() -> None:
    assert parse_params(planned("libx265", {}).options["x265-params"])["qg-size"] == "16"
    coarse = planned("libx265", {"x265-params": "qg-size=32"})
    assert parse_params(coarse.options["x265-params"])["qg-size"] == "32"
    assert any("averages the offsets over 32x32 px" in message for message in coarse.messages)


def test_a_plain_encode_is_given_nothing_of_this() -> None:
    assert planned("libx264", {"preset": "ultrafast"}, attention="none").options == {"preset": "ultrafast"}
    captions = {"a53cc": "1"}  # closed captions are kept, as libx264 keeps them by itself
    assert planned("libx265", {}, attention="none").options == {**captions, "x265-params": "log-level=error"}
    assert planned("libvpx-vp9", {}, attention="none").options == {"crf": "32"}


def test_a_frame_without_offsets_is_refused_among_frames_with_them() -> None:
    """libx265 would give it those of an earlier frame."""
    session = EncoderSession(planned("libx265", {"preset": "ultrafast"}))
    first, second = frames_for(count=2)
    session.send(first, np.ones((8, 8), np.float32))
    with pytest.raises(EncoderError, match=r"libx265: the frame at 0\.040 s came without offsets"):
        session.send(second, None)


def test_parameter_lists_are_read_and_written() -> None:
    assert parse_params("a=1:b:c=x=y::d=") == {"a": "1", "b": "1", "c": "x=y", "d": ""}
    assert join_params(parse_params("a=1:b:c=x=y")) == "a=1:b=1:c=x=y"


def test_pyav_has_the_encoders() -> None:
    assert set(CODECS) <= av.codecs_available
