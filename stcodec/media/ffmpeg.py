"""The ffmpeg program: the one that comes by pip, or the one that was chosen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

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


_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""PR_SET_PDEATHSIG outlives exec. Set in the child, before the program is there: between fork and exec of a process with
threads nothing but system calls is safe (`preexec_fn` is not)."""


def ending_with_us(command: Sequence[str]) -> list[str]:
    """The words that start a program which the system kills when the thread that started it, or the process, has gone.

    On Linux, whatever ends us, SIGKILL included. Elsewhere the command as it is: a program that we can't end any more goes
    on until its pipe breaks.
    """
    if sys.platform != "linux" or not sys.executable:
        return list(command)
    program = shutil.which(command[0]) or command[0]
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), program, *command[1:]]


def ffmpeg_version(program: str) -> str:
    """The first line that the program prints of itself, without its copyright."""
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.split(" Copyright")[0].removeprefix("ffmpeg version ").strip() or "unknown"
