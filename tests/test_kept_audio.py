"""Audio comes through: copied where the container holds it, else encoded, in step with the picture, and said."""

from __future__ import annotations

import re
from pathlib import Path

import av
import media
import pytest
from command import run
from media import audio_packets, run_ffmpeg, streams_of
from sounds import RATE, heard, lag_seconds, make_clicks

import stcodec
from stcodec.errors import OptionsError
from stcodec.keep import AudioCoding
from stcodec.media.tracks import chosen_tracks

NEAR_SECONDS = 0.0021
"""Matroska keeps milliseconds, and so does the movie header of MP4."""
PLAIN = stcodec.EncodeOptions(attention="none", preset="ultrafast")
SOUNDS = {
    "wma": (".wmv", "wmav2", "wmv2", ()),
    "alaw": (".mov", "pcm_alaw", "copy", ("-ar", "8000", "-ac", "1")),
    "adpcm": (".avi", "adpcm_ima_wav", "mpeg4", ()),
    "blu-ray": (".m2ts", "pcm_bluray", "copy", ("-mpegts_m2ts_mode", "1")),
    "dvd": (".vob", "pcm_dvd", "mpeg2video", ()),
    "vorbis": (".mkv", "vorbis", "copy", ("-strict", "-2", "-ac", "2")),
    "pcm": (".mkv", "pcm_s24le", "copy", ()),
    "float": (".mov", "pcm_f32le", "copy", ()),
    "mp3": (".mp4", "libmp3lame", "copy", ()),
    "ac3": (".ts", "ac3", "copy", ()),
    "opus": (".webm", "libopus", "libvpx-vp9", ()),
}


def make_source(folder: Path, video: Path, kind: str) -> Path:
    ending, codec, video_codec, words = SOUNDS[kind]
    source = folder / f"{kind}{ending}"
    clicks = make_clicks(folder / f"{kind}.wav", "pcm_s16le")
    run_ffmpeg("-i", video, "-i", clicks, "-map", "0:v", "-map", "1:a", "-c:v", video_codec, "-c:a", codec, *words, source)
    return source


@pytest.fixture(scope="module")
def picture(videos: Path) -> Path:
    return media.make_video(videos / "three_seconds.mkv", frames=75)


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".mov", ".ts"])
@pytest.mark.parametrize("kind", SOUNDS)
def test_any_audio_reaches_any_container_in_step(picture: Path, tmp_path: Path, kind: str, ending: str) -> None:
    source = make_source(tmp_path, picture, kind)
    output = tmp_path / f"out{ending}"
    report = stcodec.encode(source, output, options=PLAIN)
    before, after = heard(source), heard(output)
    # The times of a DVD's LPCM are off by 10 ms to begin with.
    assert abs(lag_seconds(before, after)) < (0.012 if kind == "dvd" else NEAR_SECONDS)
    assert len(after) / RATE == pytest.approx(len(before) / RATE, abs=0.1)
    codecs = [next(one["codec"] for one in streams_of(path) if one["kind"] == "audio") for path in (source, output)]
    assert codecs[0] == codecs[1] or codecs[1] == "aac"
    said = [message for message in report.messages if "is encoded to AAC" in message]
    assert len(said) == (0 if codecs[0] == codecs[1] else 1), report.messages


@pytest.mark.parametrize(("audio", "ending"), [("aac", ".mkv"), ("aac", ".mp4"), ("opus", ".mp4"), ("opus", ".ts")])
def test_audio_is_encoded_when_it_is_asked_for(rich_mkv: Path, tmp_path: Path, audio: AudioCoding, ending: str) -> None:
    output = tmp_path / f"out{ending}"
    report = stcodec.encode(rich_mkv, output, audio=audio, audio_bitrate_kbps=64, options=PLAIN)
    tracks = [one for one in streams_of(output) if one["kind"] == "audio"]
    assert [one["codec"] for one in tracks] == [audio, audio]
    assert [one["language"] for one in tracks] == ["eng", "deu"]
    assert sum("is encoded to" in message for message in report.messages) == 2


def test_what_is_in_the_wanted_format_is_copied(rich_mkv: Path, tmp_path: Path) -> None:
    stcodec.encode(rich_mkv, tmp_path / "out.mkv", audio="aac", options=PLAIN)
    assert audio_packets(tmp_path / "out.mkv") == audio_packets(rich_mkv)


def test_webm_gets_opus(rich_mkv: Path, tmp_path: Path) -> None:
    report = stcodec.encode(rich_mkv, tmp_path / "out.webm", encoder="libvpx-vp9", attention="none")
    assert [one["codec"] for one in streams_of(tmp_path / "out.webm")] == ["vp9", "opus", "opus", "webvtt", "webvtt"]
    assert sum("is encoded to Opus: webm can't hold it" in message for message in report.messages) == 2


def test_a_bitrate_is_kept(picture: Path, tmp_path: Path) -> None:
    source = make_source(tmp_path, picture, "pcm")
    sizes = []
    for kbps in (48, 192):
        stcodec.encode(source, tmp_path / "out.mp4", audio="aac", audio_bitrate_kbps=kbps, overwrite=True, options=PLAIN)
        with av.open(str(tmp_path / "out.mp4")) as container:
            sizes.append(sum(packet.size for packet in container.demux(audio=0)) * 8 / 3000)
    assert sizes[0] == pytest.approx(48, rel=0.35)
    assert sizes[1] > 1.8 * sizes[0]


@pytest.mark.parametrize(
    ("wanted", "kept"), [(("2",), ["deu"]), (("de",), ["deu"]), (("ger", "1"), ["eng", "deu"]), (("en",), ["eng"])]
)
def test_tracks_are_chosen(rich_mp4: Path, tmp_path: Path, wanted: tuple[str, ...], kept: list[str]) -> None:
    report = stcodec.encode(rich_mp4, tmp_path / "out.mkv", audio_tracks=wanted, options=PLAIN)
    assert [one["language"] for one in streams_of(tmp_path / "out.mkv") if one["kind"] == "audio"] == kept
    assert not any("audio" in message for message in report.messages)


def test_no_audio_and_no_subtitles(rich_mkv: Path, tmp_path: Path) -> None:
    stcodec.encode(rich_mkv, tmp_path / "out.mp4", audio="none", subtitles="none", options=PLAIN)
    assert {one["kind"] for one in streams_of(tmp_path / "out.mp4")} == {"video", "data"}  # data: titles of chapters


def test_plain_text_subtitles(rich_mkv: Path, tmp_path: Path) -> None:
    report = stcodec.encode(rich_mkv, tmp_path / "out.mkv", subtitles="text", options=PLAIN)
    found = [one["codec"] for one in streams_of(tmp_path / "out.mkv") if one["kind"] == "subtitle"]
    assert found == ["srt", "srt"]
    (converted,) = (message for message in report.messages if "is converted" in message)
    # FFmpeg's versions differ in the name of this coding.
    assert re.fullmatch(r"subtitle stream 4 \((ssa|ass)\) is converted to subrip for matroska", converted)


@pytest.mark.parametrize(
    ("ending", "codec", "video_codec"),
    [
        (".mov", "pcm_alaw", "copy"),
        (".avi", "pcm_mulaw", "mpeg4"),
        (".avi", "adpcm_ima_wav", "mpeg4"),
        (".avi", "adpcm_ms", "mpeg4"),
        (".wmv", "wmav1", "wmv2"),
        (".wmv", "wmav2", "wmv2"),
    ],
)
def test_what_windows_has_a_number_for_is_copied_into_matroska(
    video: Path, tmp_path: Path, ending: str, codec: str, video_codec: str
) -> None:
    clicks = make_clicks(tmp_path / "clicks.wav", "pcm_s16le", seconds=1.2)
    source, output = tmp_path / f"in{ending}", tmp_path / "out.mkv"
    run_ffmpeg("-i", video, "-i", clicks, "-map", "0:v", "-map", "1:a", "-c:v", video_codec, "-c:a", codec, source)
    report = stcodec.encode(source, output, options=PLAIN)
    assert not [one for one in report.messages if "audio" in one]
    facts = [[one for one in streams_of(path) if one["kind"] == "audio"] for path in (source, output)]
    assert [one["codec"] for one in (*facts[0], *facts[1])] == [codec, codec]
    assert len(samples_of(output)) > 50_000 and samples_of(output) == samples_of(source)
    assert audio_packets(output) == audio_packets(source)


def samples_of(path: Path) -> bytes:
    """All of the audio as the ffmpeg program decodes it, 16 bits."""
    raw = path.with_name(f"{path.name}.s16")
    run_ffmpeg("-i", path, "-map", "0:a:0", "-f", "s16le", raw)
    return raw.read_bytes()


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("audio", ["aac", "opus"])
def test_every_number_of_channels(video: Path, tmp_path: Path, audio: AudioCoding, channels: int) -> None:
    clicks = make_clicks(tmp_path / "clicks.wav", "pcm_s16le", seconds=1.0, channels=channels)
    source = tmp_path / "source.mkv"
    run_ffmpeg("-i", video, "-i", clicks, "-map", "0", "-map", "1", "-c", "copy", source)
    stcodec.encode(source, tmp_path / "out.mp4", audio=audio, options=PLAIN)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].channels == channels
    assert abs(lag_seconds(heard(source), heard(tmp_path / "out.mp4"))) < NEAR_SECONDS


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 96000, 192000])
@pytest.mark.parametrize("audio", ["aac", "opus"])
def test_every_sample_rate(video: Path, tmp_path: Path, audio: AudioCoding, rate: int) -> None:
    clicks = make_clicks(tmp_path / "clicks.wav", "pcm_s16le", seconds=1.0, rate=rate)
    source = tmp_path / "source.mkv"
    run_ffmpeg("-i", video, "-i", clicks, "-map", "0", "-map", "1", "-c", "copy", source)
    stcodec.encode(source, tmp_path / "out.mkv", audio=audio, options=PLAIN)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.audio[0].rate == (48000 if audio == "opus" else min(rate, 96000))
    assert abs(lag_seconds(heard(source), heard(tmp_path / "out.mkv"))) < NEAR_SECONDS


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_a_gap_becomes_silence(picture: Path, tmp_path: Path, ending: str) -> None:
    clicks = make_clicks(tmp_path / "clicks.wav", "pcm_s16le")
    source = tmp_path / "gap.mkv"
    hole = ["-af", "asetnsamples=480,aselect='not(between(t,1,1.6))'", "-c:v", "copy", "-c:a", "pcm_s16le"]
    run_ffmpeg("-i", picture, "-i", clicks, "-map", "0", "-map", "1", *hole, source)
    stcodec.encode(source, tmp_path / f"out{ending}", audio="aac", options=PLAIN)
    before, after = heard(source), heard(tmp_path / f"out{ending}")
    for part in (slice(0, RATE), slice(int(1.7 * RATE), int(2.9 * RATE))):
        assert abs(lag_seconds(before[part], after[part], 0.2)) < NEAR_SECONDS
    assert abs(after[int(1.1 * RATE) : int(1.5 * RATE)]).max() < 0.01


def test_a_track_that_is_not_there_is_named(rich_mkv: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for wanted in ("jpn", "3"):
        outcome = run(capfd, "encode", rich_mkv, tmp_path / "out.mp4", "--attention", "none", "--audio-track", wanted)
        assert outcome.status == 2
        assert f"audio track '{wanted}': the input has no such one; it has 1 (eng), 2 (deu)" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_flags_reach_the_file(rich_mkv: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--audio", "opus", "--audio-bitrate", "96k", "--audio-track", "deu", "--subtitles", "none"]
    outcome = run(capfd, "encode", rich_mkv, tmp_path / "out.mp4", "--attention", "none", "--preset", "ultrafast", *words)
    assert outcome.status == 0
    found = streams_of(tmp_path / "out.mp4")
    assert [(one["kind"], one["codec"], one["language"]) for one in found if one["kind"] == "audio"] == [
        ("audio", "opus", "deu")
    ]


@pytest.mark.parametrize(
    "fields",
    [{"audio": "mp3"}, {"subtitles": "burn"}, {"audio_bitrate_kbps": 4.0}, {"audio": "none", "audio_tracks": ("1",)}],
)
def test_what_makes_no_sense_is_refused(rich_mkv: Path, tmp_path: Path, fields: dict[str, object]) -> None:
    with pytest.raises(OptionsError):
        stcodec.encode(rich_mkv, tmp_path / "out.mp4", **fields)  # type: ignore[arg-type]
    with pytest.raises(OptionsError, match="mov can't hold Opus"):
        stcodec.encode(rich_mkv, tmp_path / "out.mov", audio="opus", options=PLAIN)
    assert list(tmp_path.iterdir()) == []


def test_languages_are_found_under_all_their_codes() -> None:
    languages = ["eng", "ger", None, "zh-Hans", "nob"]
    assert chosen_tracks(["deu"], languages) == chosen_tracks(["de-AT"], languages) == [1]
    assert chosen_tracks(["chi"], languages) == [3]
    assert chosen_tracks(["3", "NO"], languages) == [2, 4]
    assert chosen_tracks([], languages) == [0, 1, 2, 3, 4]
