"""The ffmpeg program: the one that comes by pip, or the one that was chosen."""

from __future__ import annotations

import os
import shutil
import subprocess

from stcodec.errors import MediaError

ENVIRONMENT = "STCODEC_FFMPEG"


def find_ffmpeg(chosen: str | None = None) -> str:
    """The program's path: the one given, else $STCODEC_FFMPEG, else imageio-ffmpeg's, else the one on the PATH.

    Raises MediaError if there is none, or if the one given is no program.
    """
    wanted = chosen or os.environ.get(ENVIRONMENT)
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise MediaError(f"{wanted}: no program of that name; give ffmpeg's path, or leave {ENVIRONMENT} unset")
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        found = shutil.which("ffmpeg")
        if found is None:
            raise MediaError("no ffmpeg program: pip install imageio-ffmpeg, or install ffmpeg") from None
        return found


def ffmpeg_version(program: str) -> str:
    """The first line that the program prints of itself, without its copyright."""
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.split(" Copyright")[0].removeprefix("ffmpeg version ").strip() or "unknown"
