"""Small videos of many containers, codecs, audio and subtitles, and what `stcodec.encode` makes of each in a container.

Shared by `container_table.py` and `tests/test_containers.py`. The sources are made by the ffmpeg program, and what comes
out is read back: frames, times and pictures, when sound begins and ends, what subtitles say and when.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Stream
from numpy.typing import NDArray

import stcodec
from stcodec.errors import StcodecError
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.media.probe import stream_codec

OUTPUTS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9", ".ts": "libx264"}
"""The encoder for each container."""
_SIZES = {"h263": "128x96"}
_CUES = "1\n00:00:00,080 --> 00:00:00,160\nhere first\n\n2\n00:00:00,200 --> 00:00:00,320\nthere next\n"
_SAID = (b"here first", b"there next")
_PICTURE_SUBTITLES = ("pgs", "dvdsub", "dvbsub")
_QUICK = {"libx264": "-preset ultrafast", "libx265": "-preset ultrafast -x265-params log-level=none"}
_QUICK |= {
    "libtheora": "-q:v 10",
    "libvpx": "-deadline realtime",
    "libvpx-vp9": "-deadline realtime -cpu-used 8",
    "libsvtav1": "-preset 12",
}
_NARROW = {"libopencore_amrnb": "-ar 8000 -ac 1", "adpcm_swf": "-ar 44100"}
_REALTIME = {"preset": "5", "extra": {"deadline": "realtime"}}
_MPEG_AUDIO = {"mp2": "mp3"}
"""MP4 has one name for its layers."""
_LEAST_DB = 28.0
_TIME_SECONDS = 0.0011
"""Of pictures: Matroska and FLV keep milliseconds."""
_NEAR_SECONDS = 0.06
"""Of sound and subtitles; of sound that is encoded a frame more, for MPEG-TS has no mark for what leads in."""
_SAYS = re.compile(r"(audio|subtitle) stream (\d+) \(.*?\) is (?:(dropped)|(?:encoded|converted) to (\w+))")


@dataclass(frozen=True)
class Source:
    """One video to make: ffmpeg's names of its encoders, "" for no subtitles."""

    ending: str
    video: str
    audio: str
    subtitles: str = ""

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return "-".join(filter(None, (self.ending[1:], self.video, self.audio, self.subtitles)))


def _sources(ending: str, *lines: str) -> list[Source]:
    return [Source(ending, *line.split()) for line in lines]


SOURCES = [
    *_sources(".mp4", "libx264 aac mov_text", "libx264 libmp3lame", "libx265 ac3", "mpeg4 eac3 mov_text", "libx264 alac"),
    *_sources(".mp4", "libsvtav1 libopus", "libx264 flac mov_text", "libx264 dca", "libvpx-vp9 mp2"),
    *_sources(".mov", "prores_ks pcm_s16le", "prores_ks pcm_s24le mov_text", "mjpeg pcm_alaw", "libx264 alac mov_text"),
    *_sources(".mov", "libx264 adpcm_ima_qt", "qtrle pcm_f32le"),
    *_sources(
        ".mkv", "libx264 aac srt", "libx265 flac ass", "libvpx-vp9 libopus webvtt", "ffv1 pcm_s24le", "libx264 dca srt"
    ),
    *_sources(".mkv", "libx264 truehd", "libx264 libvorbis ass", "mpeg2video ac3 dvdsub", "libx264 eac3 pgs", "mpeg4 mp2"),
    *_sources(".mkv", "libx264 wavpack", "libx264 pcm_alaw srt", "libsvtav1 alac ass", "libtheora tta"),
    *_sources(".webm", "libvpx libvorbis", "libvpx-vp9 libopus webvtt", "libsvtav1 libopus"),
    *_sources(
        ".ts", "libx264 aac", "mpeg2video mp2", "libx264 ac3 dvbsub", "libx265 eac3", "libx264 dca", "mpeg4 libmp3lame"
    ),
    *_sources(".avi", "mpeg4 libmp3lame", "mjpeg pcm_s16le", "mpeg4 ac3", "msmpeg4 adpcm_ima_wav", "libx264 pcm_alaw"),
    *_sources(".avi", "huffyuv adpcm_ms"),
    *_sources(".flv", "flv libmp3lame", "libx264 aac", "flv adpcm_swf"),
    *_sources(".wmv", "wmv2 wmav2", "wmv1 wmav1"),
    *_sources(".asf", "msmpeg4 libmp3lame", "libx264 wmav2"),
    *_sources(".mpg", "mpeg1video mp2", "mpeg2video libmp3lame"),
    *_sources(".vob", "mpeg2video ac3", "mpeg2video pcm_dvd", "mpeg2video mp2 dvdsub"),
    *_sources(".m2ts", "libx264 ac3", "libx264 pcm_bluray", "libx264 dca pgs", "mpeg2video eac3"),
    *_sources(".mxf", "mpeg2video pcm_s16le", "mpeg2video pcm_s24le", "ffv1 pcm_s16le"),
    *_sources(".3gp", "h263 libopencore_amrnb", "mpeg4 aac", "libx264 aac mov_text"),
    *_sources(".ogv", "libtheora libvorbis", "libtheora libopus", "libtheora flac"),
]


@dataclass
class Trial:
    """What became of one source in one container."""

    source: str
    output: str
    attention: str
    picture: str = ""
    audio: str = ""
    subtitles: str = ""
    refusal: str = ""
    wrong: list[str] = field(default_factory=list)
    """What is not as it should be: of a trial that went well, nothing."""
    messages: Sequence[str] = ()
    codecs: dict[str, str] = field(default_factory=dict)
    """Of the source, by kind of stream."""

    def to_json(self) -> dict[str, Any]:
        """All of it, as a mapping."""
        return asdict(self)


@dataclass
class _Stream:
    index: int
    kind: str
    codec: str
    packets: int
    cues: dict[bytes, tuple[float, float]]
    """When each of what the subtitles say begins and ends."""
    start: float
    end: float
    frame_seconds: float = 0.0


@dataclass
class _Facts:
    times: list[float]
    """Of the frames, in seconds from the first."""
    pictures: list[NDArray[np.float64]]
    codec: str
    streams: list[_Stream]


def make_source(source: Source, folder: Path) -> Path:
    """Make a source of 10 frames with a sine, in a folder where the subtitles are made if they are not there yet."""
    cues, pictures = folder / "cues.srt", folder / "cues.sup"
    cues.write_text(_CUES)
    pictures.write_bytes(_pgs())
    size = _SIZES.get(source.video, "64x48")
    words = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.4", "-f", "lavfi", "-i", "sine=300:d=0.4:r=48000"]
    maps = ["-map", "0:v", "-map", "1:a"]
    if source.subtitles:
        words += ["-i", str(pictures if source.subtitles in _PICTURE_SUBTITLES else cues)]
        maps += ["-map", "2:s", "-c:s", "copy" if source.subtitles == "pgs" else source.subtitles]
    if source.video not in ("prores_ks", "qtrle", "huffyuv", "mjpeg"):
        maps += ["-pix_fmt", "yuv420p"]
    maps += ["-c:v", source.video, *_QUICK.get(source.video, "-q:v 2").split(), "-c:a", source.audio]
    maps += _NARROW.get(source.audio, "-ar 48000 -ac 2").split()
    path = folder / f"{source.name}{source.ending}"
    command = [find_ffmpeg(), "-hide_banner", "-nostdin", "-y", "-v", "error", *words, *maps, "-strict", "-2", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{source.name} can't be made: {done.stderr}")
    return path


def attention_for(number: int, ending: str) -> str:
    """The attention of a source's encode, by its number: one in four has offsets, in other containers for each."""
    return "none" if (number + list(OUTPUTS).index(ending)) % 4 else "center"


def attempt(path: Path, source: Source, ending: str, folder: Path, attention: str) -> Trial:
    """Encode a source into a container and look at what came out."""
    trial = Trial(path.name, ending, attention)
    before, output = _facts(path), folder / f"{path.stem}-{path.suffix[1:]}{ending}"
    trial.codecs = {"video": before.codec, **{one.kind: one.codec for one in before.streams}}
    encoder = OUTPUTS[ending]
    speed: dict[str, Any] = {"preset": "ultrafast"} if encoder == "libx264" else _REALTIME
    try:
        report = stcodec.encode(path, output, encoder=encoder, crf=10, attention=attention, **speed)
    except StcodecError as error:
        trial.refusal = str(error)
        if not trial.refusal or "\n" in trial.refusal or output.exists():
            trial.wrong.append("the refusal is not one line, or leaves a file")
        return trial
    except Exception as error:
        trial.wrong.append(f"{type(error).__name__}: {error}")
        return trial
    trial.messages = report.messages
    after = _facts(output)
    _compare_pictures(before, after, trial)
    _compare_streams(before, after, trial)
    if {"audio", *(["subtitle"] if source.subtitles else [])} != {one.kind for one in before.streams}:
        trial.wrong.append("the source itself lacks a stream")
    output.unlink()
    return trial


def _compare_pictures(before: _Facts, after: _Facts, trial: Trial) -> None:
    trial.picture = f"{len(after.times)} frames"
    if len(before.times) != len(after.times):
        trial.wrong.append(f"{len(after.times)} frames, not {len(before.times)}")
        return
    lag = max(abs(one - other) for one, other in zip(before.times, after.times, strict=True))
    if lag > _TIME_SECONDS:
        trial.wrong.append(f"a frame is {lag:.4f} s from its time")
    quality = min(_psnr(one, other) for one, other in zip(before.pictures, after.pictures, strict=True))
    if quality < _LEAST_DB:
        trial.wrong.append(f"a picture has {quality:.1f} dB")


def _compare_streams(before: _Facts, after: _Facts, trial: Trial) -> None:
    said = {int(found[2]): found[4] or "dropped" for one in trial.messages if (found := _SAYS.match(one))}
    left = {kind: [one for one in after.streams if one.kind == kind] for kind in ("audio", "subtitle")}
    for stream in before.streams:
        what = said.get(stream.index, "")
        if what == "dropped":
            outcome = "said"
        elif not left[stream.kind]:
            outcome = "lost"
            trial.wrong.append(f"the {stream.kind} is lost without a line")
        else:
            mine = left[stream.kind].pop(0)
            outcome = f"converted to {mine.codec}" if what else "kept"
            trial.wrong += _differences(stream, mine, what.lower() or stream.codec)
        if stream.kind == "audio":
            trial.audio = outcome
        else:
            trial.subtitles = outcome
    for kind, streams in left.items():
        if streams:
            trial.wrong.append(f"there is more {kind} than there was")


def _differences(stream: _Stream, found: _Stream, codec: str) -> list[str]:
    wrong = []
    if _MPEG_AUDIO.get(found.codec, found.codec) != _MPEG_AUDIO.get(codec, codec):
        wrong.append(f"the {stream.kind} is {found.codec}, not {codec}")
    if not found.packets:
        wrong.append(f"the {stream.kind} is empty")
    near = _NEAR_SECONDS + (found.frame_seconds if codec != stream.codec else 0)
    for name, one, other in (("begins", stream.start, found.start), ("ends", stream.end, found.end)):
        if abs(one - other) > near:
            wrong.append(f"the {stream.kind} {name} at {other:.3f} s, not {one:.3f} s")
    for text, times in stream.cues.items():
        if text not in found.cues:
            wrong.append(f"the subtitles don't say {text.decode()!r}")
        elif max(abs(one - other) for one, other in zip(times, found.cues[text], strict=True)) > _TIME_SECONDS:
            wrong.append(f"{text.decode()!r} is shown at {found.cues[text]} s, not at {times} s")
    return wrong


def _facts(path: Path) -> _Facts:
    with av.open(str(path)) as container:
        # An empty packet of Theora's says that the picture stays; the empty one at the end has no time.
        packets = (one for one in container.demux(video=0) if one.size or one.pts is None)
        decoded = (one for packet in packets for one in packet.decode() if isinstance(one, av.VideoFrame))
        frames = [(frame.time or 0.0, frame.reformat(format="gray").to_ndarray()) for frame in decoded]
        codec = stream_codec(container.streams.video[0])
    first = frames[0][0]
    with av.open(str(path)) as container:
        streams = [_stream(path, one, first) for one in container.streams if one.type in ("audio", "subtitle")]
    return _Facts(
        [time - first for time, _ in frames], [picture.astype(np.float64) for _, picture in frames], codec, streams
    )


def _stream(path: Path, stream: Stream, first: float) -> _Stream:
    """What one stream holds: its times in seconds from the first picture, of audio as it is heard."""
    found = _Stream(stream.index, stream.type, stream_codec(stream), 0, {}, 0, 0)
    times, ends = [], []
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams[stream.index]):
            if packet.size:
                found.packets += 1
            if stream.type == "audio":
                for frame in packet.decode():
                    if isinstance(frame, av.AudioFrame) and frame.time is not None:
                        times.append(frame.time)
                        found.frame_seconds = max(found.frame_seconds, frame.samples / frame.sample_rate)
                        ends.append(frame.time + frame.samples / frame.sample_rate)
            elif packet.size and packet.pts is not None and packet.time_base is not None:
                if stream_codec(stream) == "mov_text" and packet.size <= 2:
                    continue  # nothing is shown
                times.append(float(packet.pts * packet.time_base))
                ends.append(times[-1])
                end = times[-1] + float((packet.duration or 0) * packet.time_base)
                for text in _SAID:
                    if text in bytes(packet):
                        begin = found.cues.get(text, (times[-1] - first, 0))[0]
                        found.cues[text] = (begin, end - first)
    found.start, found.end = (min(times) - first, max(ends) - first) if times else (float("nan"), float("nan"))
    return found


def _psnr(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    error = float(np.mean((one - other) ** 2)) if one.shape == other.shape else 255.0**2
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def _pgs() -> bytes:
    """Subtitles of a Blu-ray: a bar of 16x4 from 0.08 s to 0.24 s. https://blog.thescorpius.com/index.php/2017/07/15/"""
    window = struct.pack(">BBHHHH", 1, 0, 8, 32, 16, 4)
    palette = bytes((0, 0, 1, 235, 128, 128, 255))
    line = bytes((0, 0x80 | 16, 1, 0, 0))
    picture = struct.pack(">HBB", 0, 0, 0xC0) + (4 * len(line) + 4).to_bytes(3, "big") + struct.pack(">HH", 16, 4) + 4 * line
    shown = struct.pack(">HHBHBBBB", 64, 48, 0x10, 0, 0x80, 0, 0, 1) + struct.pack(">HBBHH", 0, 0, 0, 8, 32)
    hidden = struct.pack(">HHBHBBBB", 64, 48, 0x10, 1, 0, 0, 0, 0)
    parts: list[tuple[float, tuple[tuple[int, bytes], ...]]] = [
        (0.08, ((0x16, shown), (0x17, window), (0x14, palette), (0x15, picture), (0x80, b"")))
    ]
    parts += [(0.24, ((0x16, hidden), (0x17, window), (0x80, b"")))]
    return b"".join(
        b"PG" + struct.pack(">IIBH", round(90_000 * time), 0, kind, len(body)) + body
        for time, segments in parts
        for kind, body in segments
    )
