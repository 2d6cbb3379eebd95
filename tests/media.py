"""Small test videos of every awkward kind, and plain readers to assert with.

A video is made by `make_*(path, ...) -> path`; the suffix of the path picks the container. Pictures are a moving view of
a photograph with a disc of another one moving over it, so that encoders have real work to do.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import av
import cv2
import imageio_ffmpeg
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorRange
from numpy.typing import NDArray
from skimage import data

Luma = NDArray[np.uint8] | NDArray[np.uint16]
Size = tuple[int, int]
AnyPacket: TypeAlias = "av.Packet[av.stream.Stream]"

QUICK = {"preset": "ultrafast"}
PHOTOGRAPHS = ("rocket", "coffee", "astronaut", "chelsea")
HDR10_PARAMS = (
    "log-level=none:hdr10=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
)
SUBTITLES = "1\n00:00:00,200 --> 00:00:00,900\nA first line\n\n2\n00:00:01,000 --> 00:00:01,600\nand a <i>second</i>\n"
CHAPTERS: Sequence[tuple[float, float, str]] = ((0.0, 0.5, "One"), (0.5, 1.25, "Two: middle"), (1.25, 2.0, "Drei ä"))
TAGS: Mapping[str, str] = {"title": "A rich video", "artist": "Nobody", "comment": "two of everything"}
RIDE_FRAMES = 24
FONT = b"\x00\x01\x00\x00" + bytes(range(256)) * 4


# --- pictures -------------------------------------------------------------------------------------------------------


def pictures(size: Size, frames: int, cuts: Sequence[int] = ()) -> Iterator[NDArray[np.uint8]]:
    """RGB frames uint8 [H, W, 3]; at each index in `cuts` another photograph begins."""
    width, height = size
    scenes = [_scene(number, size) for number in range(len(cuts) + 1)]
    disc_px = max(8, min(size) // 3)
    y, x = np.mgrid[:disc_px, :disc_px] - (disc_px - 1) / 2
    inside = (x**2 + y**2 <= (disc_px / 2) ** 2)[:, :, None]
    disc = _photograph("chelsea")[60:180, 120:240]
    disc = np.asarray(cv2.resize(disc, (disc_px, disc_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    for index in range(frames):
        scene = scenes[sum(cut <= index for cut in cuts)]
        left, top = index % (scene.shape[1] - width), (index // 2) % (scene.shape[0] - height)
        frame = scene[top : top + height, left : left + width].copy()
        phase = index / 12
        across = round((width - disc_px) * (0.5 + 0.4 * np.cos(phase)))
        down = round((height - disc_px) * (0.5 + 0.4 * np.sin(1.3 * phase)))
        spot = frame[max(down, 0) : down + disc_px, max(across, 0) : across + disc_px]
        rows, columns = spot.shape[:2]
        spot[:] = np.where(inside[:rows, :columns], disc[:rows, :columns], spot)
        yield frame


def _photograph(name: str) -> NDArray[np.uint8]:
    return np.asarray(getattr(data, name)(), dtype=np.uint8)


def _scene(number: int, size: Size) -> NDArray[np.uint8]:
    """A photograph that is a quarter larger than the frame both ways."""
    photograph = _photograph(PHOTOGRAPHS[number % len(PHOTOGRAPHS)])
    scale = max((1.25 * side + 2) / have for side, have in zip(size, photograph.shape[1::-1], strict=True))
    return np.asarray(cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


# --- videos ----------------------------------------------------------------------------------------------------------


def make_video(
    path: Path,
    *,
    size: Size = (320, 180),
    frames: int = 30,
    fps: Fraction = Fraction(25),
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
    options: Mapping[str, str] = QUICK,
    cuts: Sequence[int] = (),
    ticks: Iterable[int] | None = None,
    time_base: Fraction | None = None,
    prepare: Callable[[av.VideoStream], None] | None = None,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """A video without sound. `ticks` are its timestamps in `time_base` (default: constant rate from zero).

    `prepare` sees the stream before the first frame is encoded.
    """
    base = time_base or 1 / fps
    stamps = list(ticks) if ticks is not None else list(range(frames))
    with av.open(str(path), "w", container_options=dict(container_options or {})) as container:
        stream = container.add_stream(codec, rate=fps, options=dict(options))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = base
        if prepare:
            prepare(stream)
        for tick, rgb in zip(stamps, pictures(size, len(stamps), cuts), strict=True):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = tick, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_vfr_video(path: Path, *, frames: int = 40, time_base: Fraction = Fraction(1, 1000)) -> Path:
    """Variable frame rate: irregular steps around 1/30 s, a hole of 0.7 s in the middle, and a start at 1.4 s.

    A time base of 1/90000 fits mp4 and ts; Matroska keeps milliseconds.
    """
    steps = np.random.default_rng(5).uniform(0.012, 0.055, frames)
    steps[frames // 2] = 0.7
    seconds = 1.4 + np.concatenate([[0.0], np.cumsum(steps[1:])])
    ticks = [round(second / float(time_base)) for second in seconds]
    return make_video(path, frames=frames, fps=Fraction(30), ticks=ticks, time_base=time_base)


def make_rotated_video(path: Path, degrees: int = 90, **options: Any) -> Path:
    """A video that a player turns clockwise by so many degrees."""
    return make_video(path, prepare=lambda stream: stream.set_display_rotation(-degrees), **options)


def make_hdr10_video(path: Path, **options: Any) -> Path:
    """HEVC Main 10, BT.2020, PQ, mastering display (0.0001 to 1000 cd/m2) and content light level (1000, 400)."""

    def tag(stream: av.VideoStream) -> None:
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
        context.color_range = ColorRange.MPEG

    coding = {**QUICK, "x265-params": HDR10_PARAMS}
    return make_video(path, codec="libx265", pix_fmt="yuv420p10le", options=coding, prepare=tag, **options)


def make_odd_video(path: Path, **options: Any) -> Path:
    """321x179, 4:4:4."""
    return make_video(path, size=(321, 179), pix_fmt="yuv444p", **options)


def make_interlaced_video(path: Path, *, frames: int = 30, **options: Any) -> Path:
    """Two fields a frame, each of its own instant, top field first, coded as interlaced H.264."""
    fields = make_video(path.with_name(f"fields_{path.stem}.mkv"), frames=2 * frames, fps=Fraction(50), **options)
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ildct+ilme", "-x264-params", "tff=1"]
    run_ffmpeg("-i", fields, "-vf", "tinterlace=interleave_top", *coding, path)
    fields.unlink()
    return path


def make_bframes_in_avi(path: Path, **options: Any) -> Path:
    """H.264 with B-frames in AVI, which stores no presentation times."""
    assert path.suffix == ".avi"
    return make_video(path, options={"preset": "veryfast", "bf": "3"}, **options)


def make_open_gop_video(path: Path, *, frames: int = 48, **options: Any) -> Path:
    """Key frames that are followed by frames shown before them."""
    params = "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=3:b-adapt=0"
    return make_video(path, frames=frames, options={"preset": "veryfast", "x264-params": params}, **options)


def make_audio_only(path: Path, *, seconds: float = 1.0) -> Path:
    """A tone and no picture."""
    run_ffmpeg("-f", "lavfi", "-i", f"sine=440:duration={seconds}", path)
    return path


def make_data_track_video(path: Path) -> Path:
    """An mp4 or mov with a timecode track (tmcd), which other containers refuse."""
    plain = make_video(path.with_name(f"plain_{path.name}"))
    run_ffmpeg("-i", plain, "-c", "copy", "-timecode", "01:00:00:00", path)
    plain.unlink()
    return path


def make_truncated_video(path: Path, *, share: float = 0.6, **options: Any) -> Path:
    """The first part of a whole video's bytes.

    An mp4 loses its index that way and can't be opened, unless container_options={"movflags": "+faststart"}.
    """
    whole = make_video(path.with_name(f"whole_{path.name}"), **options)
    content = whole.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    whole.unlink()
    return path


def make_rich_video(
    path: Path, *, seconds: float = 2.0, font_mimetype: str = "application/x-truetype-font", **options: Any
) -> Path:
    """Two audio tracks, two subtitle tracks, chapters, tags and cover art, and in Matroska an attached font.

    Audio: AAC stereo, eng, default; AAC mono, deu, comment. Subtitles: eng; deu, forced. The cover is JPEG in Matroska, PNG
    in mp4. Suffix .mkv or .mp4.
    ffmpeg knows the default type of the font; it does not know "font/ttf", and calls such a stream's codec "none".
    """
    matroska = path.suffix == ".mkv"
    folder = path.parent / f"parts_of_{path.name}"
    folder.mkdir()
    video = make_video(folder / "video.mkv", frames=round(25 * seconds), **options)
    subtitles, chapters, cover, font = (
        folder / name for name in ("lines.srt", "chapters.txt", "cover.jpg" if matroska else "cover.png", "a.ttf")
    )
    subtitles.write_text(SUBTITLES, encoding="utf-8")
    chapters.write_text(_chapter_file(), encoding="utf-8")
    cv2.imwrite(str(cover), _photograph("astronaut")[:96, 150:246, ::-1])
    font.write_bytes(FONT)
    inputs: list[str | Path] = ["-i", video]
    for hertz, layout in ((440, "stereo"), (880, "mono")):
        sine = f"sine={hertz}:duration={seconds}:sample_rate=48000,aformat=channel_layouts={layout}"
        inputs += ["-f", "lavfi", "-i", sine]
    inputs += ["-i", subtitles, "-i", subtitles, "-i", chapters]
    maps = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "4:s", "-map_chapters", "5"]
    coding: list[str | Path] = ["-c:v:0", "copy", "-c:a", "aac", "-b:a", "64k"]
    if matroska:
        coding += ["-c:s:0", "srt", "-c:s:1", "ass", "-attach", font, "-metadata:s:5", f"mimetype={font_mimetype}"]
        coding += ["-attach", cover, "-metadata:s:6", "mimetype=image/jpeg", "-metadata:s:6", "filename=cover.jpg"]
    else:
        inputs += ["-i", cover]
        maps += ["-map", "6:v"]
        coding += ["-c:s", "mov_text", "-c:v:1", "png", "-disposition:v:1", "attached_pic"]
    languages = [("a:0", "eng"), ("a:1", "deu"), ("s:0", "eng"), ("s:1", "deu")]
    labels: list[str] = ["-metadata:s:v:0", "title=Main picture", "-metadata:s:a:1", "title=Kommentar"]
    for stream, language in languages:
        labels += [f"-metadata:s:{stream}", f"language={language}"]
    for key, value in TAGS.items():
        labels += ["-metadata", f"{key}={value}"]
    dispositions = ["-disposition:a:0", "default", "-disposition:a:1", "comment", "-disposition:s:1", "forced"]
    run_ffmpeg(*inputs, *maps, *coding, *labels, *dispositions, path)
    for part in folder.iterdir():
        part.unlink()
    folder.rmdir()
    return path


def _chapter_file() -> str:
    """CHAPTERS in ffmpeg's metadata format."""
    entries = [
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={round(1000 * start)}\nEND={round(1000 * end)}\ntitle={title}\n"
        for start, end, title in CHAPTERS
    ]
    return ";FFMETADATA1\n" + "".join(entries)


# --- the ffmpeg binary ----------------------------------------------------------------------------------------------


def run_ffmpeg(*arguments: str | Path) -> str:
    """Run the binary of imageio-ffmpeg; what it said on stderr. Overwrites its output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stderr


def ffmpeg_says(path: Path) -> str:
    """What `ffmpeg -i` prints of a file, read by ffmpeg and not by PyAV's libraries."""
    return run_ffmpeg("-i", path, "-map", "0", "-c", "copy", "-t", "0", "-f", "null", "-")


# --- readers --------------------------------------------------------------------------------------------------------


class StreamFacts(TypedDict):
    """What a file says of one stream."""

    kind: str
    codec: str
    language: str | None
    disposition: set[str]
    frames: int
    """Packets that the stream holds, counted (an attachment: 0)."""
    duration: float
    """Seconds from the first packet's start to the last one's end."""
    tags: dict[str, str]
    width: int
    height: int
    pix_fmt: str


def streams_of(path: Path) -> list[StreamFacts]:
    """All streams in the order of the file."""
    with av.open(str(path)) as container:
        packets: dict[int, list[AnyPacket]] = {stream.index: [] for stream in container.streams}
        for packet in container.demux(*[one for one in container.streams if one.type not in ("attachment", "unknown")]):
            if packet.size:
                packets[packet.stream.index].append(packet)
        return [_facts(stream, packets[stream.index]) for stream in container.streams]


def _facts(stream: av.stream.Stream, packets: list[AnyPacket]) -> StreamFacts:
    video = stream if isinstance(stream, av.VideoStream) else None
    times = [(p.pts * p.time_base, (p.pts + (p.duration or 0)) * p.time_base) for p in packets if p.pts is not None]
    return {
        "kind": stream.type,
        "codec": stream.codec_context.name if stream.codec_context else "",
        "language": stream.language,
        "disposition": {str(flag.name) for flag in Disposition if flag & stream.disposition},
        "frames": len(packets),
        "duration": float(max(end for _, end in times) - min(start for start, _ in times)) if times else 0.0,
        "tags": dict(stream.metadata),
        "width": video.width if video else 0,
        "height": video.height if video else 0,
        "pix_fmt": str(video.pix_fmt) if video else "",
    }


def video_pts(path: Path) -> list[Fraction]:
    """Presentation times in seconds, sorted, of the packets of the first video stream that is not a cover."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & Disposition.attached_pic)
        return sorted(p.pts * p.time_base for p in container.demux(stream) if p.pts is not None and p.size)


def audio_packets(path: Path, index: int = 0) -> list[str]:
    """The SHA-256 of each packet of an audio stream, counted among the audio streams: equal if it was copied."""
    with av.open(str(path)) as container:
        return [hashlib.sha256(bytes(p)).hexdigest() for p in container.demux(audio=index) if p.size]


def chapters_of(path: Path) -> list[tuple[float, float, str]]:
    """Start and end in seconds, and the title, of each chapter."""
    with av.open(str(path)) as container:
        return [
            (float(one["start"] * one["time_base"]), float(one["end"] * one["time_base"]), one["metadata"]["title"])
            for one in container.chapters()
            if one["time_base"] is not None
        ]


def luma_of(frame: av.VideoFrame) -> Luma:
    """The Y plane [H, W] of a planar or gray frame: uint8, or uint16 above 8 bits."""
    plane = frame.planes[0]
    rows: NDArray[np.uint8] = np.frombuffer(bytes(plane), dtype=np.uint8).reshape(plane.height, -1)
    if frame.format.components[0].bits > 8:
        return rows.view(np.uint16)[:, : frame.width]
    return rows[:, : frame.width]


def frames_of(path: Path) -> list[Luma]:
    """The Y planes of all frames of the first video stream, in display order."""
    with av.open(str(path)) as container:
        return [luma_of(frame) for frame in container.decode(video=0)]


def psnr(one: Luma, other: Luma) -> float:
    """Peak signal-to-noise ratio in dB of two planes of one depth; infinite if they are equal."""
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    peak = 255 if one.dtype == np.uint8 else 1023
    return float("inf") if error == 0 else 10 * float(np.log10(peak**2 / error))


def psnr_y(one: Path, other: Path) -> float:
    """Mean PSNR in dB over the frames of two videos, which must be as many."""
    pairs = zip(frames_of(one), frames_of(other), strict=True)
    return float(np.mean([psnr(mine, theirs) for mine, theirs in pairs]))
