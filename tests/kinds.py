"""Small files of many kinds that people have, each made by a line, and what every subcommand promises of any of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import assert_one_line, run, snapshot
from media import run_ffmpeg

_X264 = "-c:v libx264 -preset ultrafast"
_SOUND = "-f lavfi -i sine=440:d=1:r=48000 -shortest"
_COPIED = "-i base.mp4 -c copy"
_KEY = "-encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb"
_HOLE = "format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='if(lt(X,50),255,0)'"
LINES = {
    "wrap.ts": f"{_COPIED} -output_ts_offset 95442.9 -muxdelay 0",
    "hour.ts": f"{_COPIED} -output_ts_offset 3600",
    "big.ts": f"-i base.mp4 -vf scale=160:-2 {_X264} -output_ts_offset 1 -c:a copy",
    "deep.ts": f"-i base.mp4 -an -pix_fmt yuv420p10le {_X264}",
    "shallow.ts": f"-i base.mp4 -an {_X264} -output_ts_offset 1",
    "last.gif": "-i base.mp4 -an -r 10 -final_delay 300",
    "motion.apng": "-i base.mp4 -an -r 10 -pix_fmt rgb24 -plays 0",
    "moving.webp": "-i base.mp4 -an -c:v libwebp_anim",
    "slides.mp4": f"-i base.mp4 -an -vf setpts='if(eq(N,0),0,if(eq(N,1),1,3))/TB' -fps_mode vfr -frames:v 3 {_X264}",
    "left.mp4": "-i base.mp4 -an -c copy -bsf:v h264_metadata=crop_left=6:crop_right=8:crop_top=2",
    "odd.mp4": f"-i base.mp4 -an -vf crop=91:53:exact=1 -pix_fmt yuv444p {_X264}",
    "turned.mov": "-display_rotation 90 -i base.mp4 -c copy",
    "hlg.mp4": "-i base.mp4 -an -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -tag:v hvc1 -x265-params log-level=none",
    "wma.wmv": "-i base.mp4 -c:v wmv2 -c:a wmav2",
    "alaw.mov": "-i base.mp4 -c:v copy -c:a pcm_alaw -ar 8000",
    "adpcm.avi": "-i base.mp4 -c:v mpeg4 -c:a adpcm_ima_wav",
    "lpcm.m2ts": "-i base.mp4 -c:v copy -c:a pcm_bluray -ac 2",
    "lpcm.vob": "-i base.mp4 -c:v mpeg2video -c:a pcm_dvd",
    "mp3.flv": "-i base.mp4 -c:v flv1 -c:a libmp3lame -ar 44100",
    "amr.3gp": "-i base.mp4 -c:v h263 -s 128x96 -c:a libopencore_amrnb -ar 8000 -ac 1",
    "pcm.mxf": "-i base.mp4 -c:v mpeg2video -c:a pcm_s16le",
    "video.ogv": "-i base.mp4 -c:v libtheora -c:a libvorbis -ac 2",
    "hole.mov": f"-i base.mp4 -an -vf {_HOLE} -c:v qtrle -pix_fmt argb",
    "hole.webm": f"-i base.mp4 -an -vf {_HOLE} -c:v libvpx-vp9 -deadline realtime -pix_fmt yuva420p",
    "keys.mov": f"{_COPIED} -movflags use_metadata_tags -metadata com.apple.quicktime.make=Apple -metadata IMDB=tt1",
    "edited.mp4": "-ss 0.5 -i base.mp4 -c copy",
    "late.mp4": "-i base.mp4 -itsoffset 0.4 -i base.mp4 -map 0:v -map 1:a -c copy",
    "encrypted.mp4": f"{_COPIED} {_KEY} -encryption_kid a7e61c373e219033c21091fa607bf3b8",
    "sound.m4a": "-i base.mp4 -vn -c copy",
    "fragmented.mp4": f"{_COPIED} -movflags +frag_keyframe+empty_moov",
}
"""ffmpeg's words for each file."""
JOINED = {
    "twice.ts": ("wrap.ts", "wrap.ts"),
    "ahead.ts": ("wrap.ts", "hour.ts"),
    "grows.ts": ("hour.ts", "big.ts"),
    "depth.ts": ("deep.ts", "shallow.ts"),
    "twice.flv": ("mp3.flv", "mp3.flv"),
}
UNREADABLE = {
    "moving.webp": "animated WebP",
    "encrypted.mp4": "is encrypted",
    "sound.m4a": "has no video",
    "cut.mp4": "not a media file|cut off",
    "text.mkv": "not a media file",
    "empty.mp4": "is empty",
}
"""Kinds that nobody can encode, and the words that say why."""
_PARTS = {"hour.ts", "big.ts", "deep.ts", "shallow.ts"}
NAMES = [*(name for name in LINES if name not in _PARTS), *JOINED, *(name for name in UNREADABLE if name not in LINES)]


def make_kind(name: str, folder: Path) -> Path:
    """The file of a kind, made if it is not there yet."""
    path, base = folder / name, folder / "base.mp4"
    if not base.exists():
        picture = "-f lavfi -i testsrc2=s=96x64:r=25:d=1"
        run_ffmpeg(*f"{picture} {_SOUND} {_X264} -bf 2 -g 10 -pix_fmt yuv420p -c:a aac".split(), base)
    if path.exists():
        return path
    if name in LINES:
        words = [str(base) if word == "base.mp4" else word.strip("'") for word in LINES[name].split()]
        run_ffmpeg(*words, path)
    elif name in JOINED:
        path.write_bytes(b"".join(make_kind(part, folder).read_bytes() for part in JOINED[name]))
    else:
        path.write_bytes({"cut.mp4": base.read_bytes()[:4000], "text.mkv": b"no video\n" * 99, "empty.mp4": b""}[name])
    return path


@dataclass(frozen=True)
class Command:
    """A subcommand over one file."""

    words: Callable[[Path, Path], Sequence[str | Path]]
    """Arguments, from the file and the folder for what is written."""
    makes: str = ""
    """What it writes there."""
    statuses: tuple[int, ...] = (0,)
    """Allowed of a file that can be read."""


def _maps_of(folder: Path) -> str:
    return f"map:{folder / 'maps.mkv'}" if (folder / "maps.mkv").exists() else "center"


_QUICK = ("--preset", "ultrafast")
_PSNR = ("--metrics", "psnr")
_ARMS = ("--arms", "plain,center", "--crf", "24,30,36,42", "--frames", "3", "--jobs", "1", "--weights", "center")
COMMANDS = {
    "maps": Command(lambda one, to: ("maps", one, to / "maps.mkv", "--attention", "motion"), "maps.mkv"),
    "encode": Command(lambda one, to: ("encode", one, to / "out.mkv", "--attention", _maps_of(to), *_QUICK), "out.mkv"),
    "match": Command(
        lambda one, to: ("encode", one, to / "m.mp4", "--match-crf", "30", "--attention", "center", *_QUICK), "m.mp4"
    ),
    "inspect": Command(
        lambda one, to: ("inspect", one, "--attention", "motion", "--report", to / "i.html", "--video", to / "i.mp4"), "i."
    ),
    "compare": Command(
        lambda one, to: ("compare", one, to / "out.mkv", "--weights", "center", "--metrics", "psnr", "--report", to / "c"),
        "c",
    ),
    "evaluate": Command(
        lambda one, to: ("evaluate", one, *_ARMS, *_QUICK, *_PSNR, "--report", to / "e", "--cache", to / "e/c"),
        "e",
    ),
    # Whatever encoded it did not know of these maps: any verdict will do.
    "verify": Command(lambda one, to: ("verify", one, "--map", to / "maps.mkv"), statuses=(0, 1, 2)),
    "dry run": Command(lambda one, to: ("encode", one, to / "dry.mkv", "--dry-run", "--attention", "center")),
}
"""In an order in which each finds what it needs of those before."""


def try_command(
    capfd: pytest.CaptureFixture[str], command: str, source: Path, folder: Path, refusal: str | None = None
) -> None:
    """Run one over a file, and hold it to what it promises of any.

    It ends by itself with a status; a file that can't be read gets the one line that says why; nothing but what it makes is
    left in its folder or among temporary files. refusal: words of that line, None for a file that can be read.
    """
    one = COMMANDS[command]
    before = set(snapshot(folder))
    done = run(capfd, *one.words(source, folder))
    shown = f"{command} of {source.name}: {done}"
    assert "Traceback" not in done.err + done.out, shown
    assert all(one.makes and path.startswith(one.makes) for path in set(snapshot(folder)) ^ before), shown
    assert not list(Path(tempfile.gettempdir()).glob("stcodec-*")), shown
    if refusal is None:
        assert done.status in one.statuses, shown
    else:  # compare and verify lack the encode, and the maps
        assert_one_line(done, 1, f"({refusal}|no such file)")
