"""The ffmpeg program as a child process whose messages are kept and which is always ended."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Any

import ffmpeg

from stcodec.media.ffmpeg import ending_with_us, find_ffmpeg

_GENERAL = "Input/output error"


class FfmpegProcess:
    """A running program whose stderr is read. It is ended by its process id."""

    def __init__(self, output: Any, hide: Callable[[str], str], *, writes: bool) -> None:
        """output: ffmpeg-python's node; hide: makes what it says fit to be shown; writes: it is fed through stdin, else read
        from stdout. Raises MediaError if there is no program.

        It ends with the thread that calls this, whatever ends that.
        """
        stdin, stdout = (subprocess.PIPE, subprocess.DEVNULL) if writes else (subprocess.DEVNULL, subprocess.PIPE)
        command = ending_with_us(ffmpeg.compile(output, [find_ffmpeg(), "-v", "error", "-nostats", "-nostdin"]))
        # In a session of its own: Ctrl-C is for us, and we end it when it has sent the rest.
        self.process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self.frames = 0
        """Passed on, if it was told to report progress."""
        self._hide = hide
        self._said: deque[str] = deque(maxlen=8)
        self._stderr_thread = threading.Thread(target=self._listen, daemon=True)
        self._stderr_thread.start()

    @property
    def pipe(self) -> IO[bytes]:
        """Its stdin or stdout."""
        pipe = self.process.stdin or self.process.stdout
        assert pipe is not None
        return pipe

    def reason(self) -> str:
        """The reason it ended, as it said, in one line and without secrets of the address."""
        self._stderr_thread.join(1)
        if not self._said:
            return "the other side hung up"
        told = next((line for line in self._said if "certificate" in line), self._said[-1])
        words = re.split(r": |::", self._hide(told))[-1]
        return f"the other side does not answer, refuses, or hung up ({words})" if words == _GENERAL else words

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def close(self) -> None:
        """End it if it has not ended, and let go of it."""
        self.process.kill()
        self.process.wait()
        self._stderr_thread.join()
        assert self.process.stderr is not None
        for pipe in (self.pipe, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def _listen(self) -> None:
        """Errors, and progress as `frame=12` among other names and values."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            text = line.decode("utf-8", "replace").strip()
            name, equals, value = text.partition("=")
            if name == "frame" and value.isdigit():
                self.frames = int(value)
            elif text and not (equals and name.isidentifier()):
                self._said.append(text)
