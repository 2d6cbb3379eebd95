"""Several encodes of one video as a stream of choices: HLS and DASH over the same segments, by the ffmpeg program."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import ffmpeg

from stcodec.errors import OUT_OF_SPACE, MediaError, NoSpaceError, VerifyError
from stcodec.media.ffmpeg import ending_with_us, find_ffmpeg
from stcodec.media.locks import sync_file
from stcodec.media.open_input import open_input
from stcodec.media.packets import shown_times
from stcodec.media.paths import display_name, local_url
from stcodec.media.probe import main_video, stream_codec

HLS_NAME, DASH_NAME = "master.m3u8", "manifest.mpd"
_KEPT_AUDIO = ("aac", "ac3", "eac3", "opus", "libopus", "flac")
"""Codecs that players take from such segments as they are; other audio becomes AAC."""


def key_times(path: Path) -> list[int]:
    """The times of a file's key frames in milliseconds. Raises MediaError."""
    with open_input(path) as container:
        stream = main_video(container)
        if stream is None:
            raise MediaError(f"{display_name(path)}: has no video", path=path)
        packets = (packet for packet in container.demux(stream) if packet.size and packet.is_keyframe)
        return sorted(round(1000 * packet.pts * packet.time_base) for packet in packets if packet.pts is not None)


def write_package(renditions: Sequence[Path], source: Path, folder: Path, segment_seconds: float) -> list[str]:
    """Write master.m3u8, manifest.mpd and their segments into a folder; what could not be kept, for people.

    renditions: encodes of the source, whose first audio track is added. Raises VerifyError if their key frames are not
    aligned or a rendition comes back with another number of frames, MediaError if the program fails.
    """
    keys = [key_times(path) for path in renditions]
    if any(one != keys[0] for one in keys):
        raise VerifyError("the key frames of the renditions do not agree: no player could change between them")
    audio, messages = _audio(source)
    inputs = [ffmpeg.input(os.fsencode(local_url(path.resolve()))) for path in (*renditions, source)]
    tracks, sets = [one["v:0"] for one in inputs[:-1]], "id=0,streams=v"
    coding = {"c:v": "copy", "c:a": "copy"}
    if audio is not None:
        track, is_kept = audio
        tracks.append(inputs[-1][f"a:{track}"])
        sets += " id=1,streams=a"
        coding |= {} if is_kept else {"c:a": "aac", "b:a": "160k"}
    dash = {"f": "dash", "seg_duration": f"{segment_seconds:g}", "use_timeline": 1, "use_template": 1}
    hls = {"hls_playlist": 1, "hls_master_name": HLS_NAME, "adaptation_sets": sets}
    output = ffmpeg.output(*tracks, DASH_NAME, **coding, **dash, **hls)
    command = ending_with_us(ffmpeg.compile(output, [find_ffmpeg(), "-v", "error", "-nostdin"]))
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        number = 256 - done.returncode  # it ends with the negative errno, of which a byte is left
        kind = NoSpaceError if number in OUT_OF_SPACE else MediaError
        raise kind(f"the ffmpeg program could not package the video: {said[-1] if said else done.returncode}", errno=number)
    for number, path in enumerate(renditions):
        packaged = shown_times(folder / f"media_{number}.m3u8", allow_playlists=True)
        wanted, found = len(shown_times(path).pts), len(packaged.pts)
        if wanted != found:
            raise VerifyError(f"{path.stem}: {found} of {wanted} frames are in the package: nothing was kept")
    for file in folder.iterdir():
        sync_file(file)
    return messages


def _audio(source: Path) -> tuple[tuple[int, bool] | None, list[str]]:
    """The audio track that is taken, by its number among them, and whether as it is; what is not taken, for people."""
    with open_input(source) as container:
        tracks = list(container.streams.audio)
        messages = ["only the first audio track is in the package"] if len(tracks) > 1 else []
        if container.streams.subtitles:
            messages.append("subtitles are left out of the package")
        if not tracks:
            return None, messages
        codec = stream_codec(tracks[0])
        if codec not in _KEPT_AUDIO:
            messages.append(f"{codec} audio is encoded to AAC")
        return (0, codec in _KEPT_AUDIO), messages
