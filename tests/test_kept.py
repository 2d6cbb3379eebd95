"""Everything that is not the picture is in the result too: sound, subtitles, chapters, tags, attachments, covers."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import av
import media
import pytest
from media import FONT, TAGS, StreamFacts, audio_packets, chapters_of, ffmpeg_says, run_ffmpeg, streams_of

import stcodec
from stcodec.report import EncodeReport

WAYS = [("mkv", "mkv"), ("mkv", "mp4"), ("mp4", "mkv"), ("mp4", "mp4"), ("mkv", "m4v"), ("mkv", "mov")]
Result = tuple[Path, Path, EncodeReport]


@pytest.fixture(scope="module", params=WAYS, ids="-to-".join)
def result(request: pytest.FixtureRequest, videos: Path) -> Result:
    """(source, output, report) of a rich video encoded from one container to another."""
    before, after = request.param
    source: Path = request.getfixturevalue(f"rich_{before}")
    output = videos / f"rich_{before}.{after}"
    return source, output, stcodec.encode(source, output, attention="center", preset="veryfast")


def of_kind(path: Path, kind: str) -> list[StreamFacts]:
    """The streams of a kind; without cover art, which is kept in various ways."""
    return [one for one in streams_of(path) if one["kind"] == kind and "attached_pic" not in one["disposition"]]


def covers(path: Path) -> list[bytes]:
    """The pictures attached to a file."""
    with av.open(str(path)) as container:
        chosen = [one for one in container.streams.video if one.disposition & av.stream.Disposition.attached_pic]
        return [bytes(packet) for packet in container.demux(chosen) if packet.size] if chosen else []


def test_sound_is_the_very_same(result: Result) -> None:
    source, output, _ = result
    assert len(of_kind(output, "audio")) == 2
    for index in (0, 1):
        packets = audio_packets(source, index)
        assert len(packets) > 90
        assert audio_packets(output, index) == packets
    for ours, theirs in zip(of_kind(output, "audio"), of_kind(source, "audio"), strict=True):
        assert ours["codec"] == theirs["codec"] == "aac"
        assert ours["duration"] == pytest.approx(theirs["duration"], abs=0.006)


def test_sound_stays_in_step(result: Result) -> None:
    source, output, _ = result
    offsets = []
    for path in (source, output):
        with av.open(str(path)) as container:
            first = next(float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None)
        offsets.append(first - float(media.video_pts(path)[0]))
    assert offsets[1] == pytest.approx(offsets[0], abs=0.0021)


def test_languages_titles_and_dispositions(result: Result) -> None:
    _, output, _ = result
    mov = output.suffix == ".mov"
    audio, subtitles = of_kind(output, "audio"), of_kind(output, "subtitle")
    german = "ger" if mov else "deu"  # QuickTime's own list has the other of the two codes
    assert [one["language"] for one in (*audio, *subtitles)] == ["eng", german, "eng", german]
    assert [title_of(one) for one in (of_kind(output, "video")[0], *audio)] == ["Main picture", None, "Kommentar"]
    assert "default" in audio[0]["disposition"]
    if not mov:  # which has no place for more
        assert audio[1]["disposition"] == {"comment"}
        assert subtitles[1]["disposition"] == {"forced"}


def title_of(stream: StreamFacts) -> str | None:
    return stream["tags"].get("title", stream["tags"].get("name"))


@pytest.mark.parametrize("index", [0, 1])
def test_subtitles_say_the_same_at_the_same_time(result: Result, tmp_path: Path, index: int) -> None:
    _, output, _ = result
    run_ffmpeg("-i", output, "-map", f"0:s:{index}", "-c:s", "srt", tmp_path / "lines.srt")
    found = (tmp_path / "lines.srt").read_text(encoding="utf-8")
    assert "<i>second</i>" in found
    start = float(media.video_pts(output)[0])  # 21 ms where the sound has a lead-in, which Matroska can't put before 0
    assert start < 0.03
    for ours, theirs in zip(cues(found), cues(media.SUBTITLES), strict=True):
        assert ours[2] == theirs[2]
        assert ours[:2] == pytest.approx((theirs[0] + start, theirs[1] + start), abs=0.0021)


def cues(text: str) -> list[tuple[float, float, str]]:
    """(start, end in seconds, words) of each cue of an srt file, without styles."""
    found = re.findall(r"(\S+) --> (\S+)\n(.*?)(?:\n\n|\Z)", text, re.DOTALL)
    return [(seconds(start), seconds(end), re.sub(r"<[^>]*>", "", words).strip()) for start, end, words in found]


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def test_chapters_and_tags(result: Result) -> None:
    _, output, _ = result
    assert chapters_of(output) == list(media.CHAPTERS)
    said = ffmpeg_says(output)
    for key, value in TAGS.items():
        assert re.search(rf"(?i)^ +{key} +: {value}$", said, re.MULTILINE)


def test_tags_of_the_old_bitstream_are_gone(rich_mkv: Path, tmp_path: Path) -> None:
    source = tmp_path / "tagged.mkv"
    stale = ["-metadata:s:v:0", "BPS=123", "-metadata:s:v:0", "NUMBER_OF_FRAMES=9", "-metadata:s:v:0", "ENCODER=old"]
    run_ffmpeg("-i", rich_mkv, "-map", "0", "-c", "copy", *stale, "-metadata:s:v:0", "MOOD=calm", source)
    assert {"BPS", "ENCODER"} <= set(streams_of(source)[0]["tags"])
    stcodec.encode(source, tmp_path / "out.mkv", attention="none", preset="ultrafast")
    assert set(streams_of(tmp_path / "out.mkv")[0]["tags"]) == {"title", "MOOD", "DURATION"}


def test_the_cover_is_the_very_same(result: Result) -> None:
    source, output, report = result
    assert len(covers(source)) == 1
    if output.suffix == ".mov":
        assert covers(output) == []
        assert any("(mjpeg) is dropped" in message for message in report.messages)
    else:
        assert covers(output) == covers(source)


def test_the_font_is_kept_where_there_is_a_place_for_it(result: Result) -> None:
    source, output, report = result
    with av.open(str(output)) as container:
        attached = [(one.name, one.mimetype, bytes(one.data)) for one in container.streams.attachments]
    if source.suffix == output.suffix == ".mkv":
        assert attached == [("a.ttf", "application/x-truetype-font", FONT)]
    else:
        assert attached == []
    dropped = any("attachment" in message and "is dropped" in message for message in report.messages)
    assert dropped == (source.suffix == ".mkv" and output.suffix != ".mkv")


def test_what_is_changed_is_said_and_nothing_else(result: Result) -> None:
    source, output, report = result
    kinds = {"is converted": "converted", "is dropped": "dropped", "loses its mark": "marks"}
    said = Counter(next((kind for words, kind in kinds.items() if words in m), m) for m in report.messages)
    same_family = (source.suffix == ".mkv") == (output.suffix == ".mkv")
    assert said["converted"] == (0 if same_family else 2)
    assert said["marks"] == (2 if output.suffix == ".mov" else 0)
    assert set(said) <= {"converted", "dropped", "marks"}


def test_a_font_with_a_modern_type_is_kept(videos: Path, tmp_path: Path) -> None:
    source = media.make_rich_video(tmp_path / "modern.mkv", seconds=1.0, font_mimetype="font/ttf")
    report = stcodec.encode(source, tmp_path / "out.mkv", attention="none", preset="ultrafast")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [bytes(one.data) for one in container.streams.attachments] == [FONT]
    assert report.messages == ()


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_second_video_is_copied_whole(video: Path, open_gop_mp4: Path, tmp_path: Path, suffix: str) -> None:
    source, output = tmp_path / "two.mkv", tmp_path / f"out.{suffix}"
    run_ffmpeg("-i", video, "-i", open_gop_mp4, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "0", source)
    stcodec.encode(source, output, attention="none", preset="ultrafast")
    packets = [[bytes(packet) for packet in packets_of(path, 1) if packet.size] for path in (source, output)]
    assert len(packets[0]) == 48
    assert packets[1] == packets[0]


def packets_of(path: Path, index: int) -> list[media.AnyPacket]:
    with av.open(str(path)) as container:
        return list(container.demux(container.streams[index]))


def test_a_transport_stream_keeps_sound_and_says_what_it_loses(rich_mkv: Path, tmp_path: Path) -> None:
    report = stcodec.encode(rich_mkv, tmp_path / "out.ts", attention="none", preset="ultrafast")
    assert [one["kind"] for one in streams_of(tmp_path / "out.ts")] == ["video", "audio", "audio"]
    assert [one["language"] for one in of_kind(tmp_path / "out.ts", "audio")] == ["eng", "deu"]
    assert len(audio_packets(tmp_path / "out.ts", 1)) == len(audio_packets(rich_mkv, 1))
    lost = " ".join(report.messages)
    for what in (
        "subtitle stream 3",
        "subtitle stream 4",
        "attachment stream 5",
        "video stream 6",
        "tags and chapters",
        "mark comment",
    ):
        assert what in lost


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4", "mov"])
def test_a_time_code_track_is_kept_or_its_loss_said(data_track_mp4: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    report = stcodec.encode(data_track_mp4, output, attention="none", preset="ultrafast")
    assert len(media.video_pts(output)) == 30
    if suffix in ("mkv", "ts"):
        assert [one["kind"] for one in streams_of(output)] == ["video"]
        assert any(re.search("data stream 1 .* is dropped", message) for message in report.messages)
    else:
        assert report.messages == ()
        assert "01:00:00:00" in ffmpeg_says(output)
