"""VMAF, VMAF NEG, CAMBI and XPSNR of paired frames, by one ffmpeg process that takes raw pictures from pipes."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from fractions import Fraction
from types import TracebackType
from typing import Self

import ffmpeg
import numpy as np

from stcodec.errors import MediaError
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.media.output import work_folder
from stcodec.media.paths import file_error
from stcodec.metrics.pipes import PATIENCE_SECONDS, PipeWriter, write_all
from stcodec.metrics.planes import Planes, bytes_a_sample, plane_shapes
from stcodec.metrics.vmaf_graph import (
    DEFAULT_METRICS,
    METRICS,
    check_metrics,
    pictures_read,
    read_scores,
    scoring_filters,
    scoring_output,
)

__all__ = ["DEFAULT_METRICS", "METRICS", "Frame", "FrameScorer"]

Frame = Planes | bytes | bytearray | memoryview
"""A picture as three planes, or as its samples in the order of the planes."""

_MESSAGES = "messages.txt"


class FrameScorer:
    """Scores pairs of frames as they come; the scores are known when all have been pushed.

        with FrameScorer(1280, 720, "yuv420p", Fraction(25), {"vmaf", "xpsnr"}) as scorer:
            for reference, distorted in pairs:
                scorer.push(reference, distorted)
            scores = scorer.finish()

    Nothing is left behind, neither process nor file, when the block ends, however it ends.
    """

    def __init__(
        self,
        width: int,
        height: int,
        pix_fmt: str,
        rate: Fraction,
        metrics: Collection[str],
        threads: int = 2,
        *,
        program: str | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """width, height in px; pix_fmt: one of `planes.PIX_FMTS`; rate: frames a second (XPSNR weighs by it).

        metrics: some of METRICS; threads: for each of libvmaf's jobs (`attended_vmaf` is one, all its other metrics the
        other). program: ffmpeg's path, by default the one `find_ffmpeg` finds; patience_seconds: a program that takes no
        frame for so long is stuck. Raises OptionsError for unknown metrics and
        for formats and sizes that can't be scored; MediaError if ffmpeg can't be started.
        """
        check_metrics(metrics, width, height)
        self.metrics = tuple(one for one in METRICS if one in metrics)
        self._patience_seconds = patience_seconds
        self.frames = 0
        """Pairs pushed so far."""
        samples = sum(rows * columns for rows, columns in plane_shapes(width, height, pix_fmt))
        self._frame_bytes = samples * bytes_a_sample(pix_fmt)
        self._filters = scoring_filters(self.metrics, threads)
        self._pictures = pictures_read(self._filters)
        layout = {"f": "rawvideo", "pix_fmt": pix_fmt, "video_size": (width, height), "framerate": rate}
        with ExitStack() as stack:
            self._folder = stack.enter_context(work_folder())
            self._pipes = [stack.enter_context(PipeWriter()) for _ in self._pictures]
            self._process = self._start(program or find_ffmpeg(), layout)
            stack.callback(self._stop)
            for pipe in self._pipes:
                pipe.started()
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def push(self, reference: Frame, distorted: Frame, composite: Frame | None = None) -> None:
        """Add a pair of frames; composite: the picture for `attended_vmaf`, needed then and only then.

        Raises ValueError for frames of another size and after the end, MediaError with ffmpeg's message if it has failed.
        """
        if (composite is not None) != ("attended_vmaf" in self.metrics):
            raise ValueError("a composite must be given with every frame for attended_vmaf, and only then")
        given = {"reference": reference, "distorted": distorted, "composite": composite}
        buffers = {name: self._buffers(frame) for name, frame in given.items() if frame is not None}
        try:
            write_all(
                [(pipe, buffers[name]) for pipe, name in zip(self._pipes, self._pictures, strict=True)],
                self._patience_seconds,
            )
        except (BrokenPipeError, TimeoutError) as error:
            raise self._failed(str(error)) from None
        self.frames += 1

    def finish(self) -> dict[str, list[float]]:
        """Scores of each frame by metric, in order; to be called once.

        XPSNR is the luma's, in dB (infinite for identical frames), and one shorter: that of the first frame, which reads
        10 to 15 dB too high, is left out. Raises MediaError if ffmpeg has failed or no frame was pushed.
        """
        if not self.frames:
            raise MediaError("there are no frames to score")
        for pipe in self._pipes:
            pipe.close()
        if self._process.wait() != 0:
            raise self._failed(f"exit status {self._process.returncode}")
        try:
            scores = read_scores(self._folder, self.metrics)
        except (OSError, ValueError, KeyError) as error:
            raise self._failed(f"its log can't be read: {error}") from None
        for metric, values in scores.items():
            expected = self.frames - (metric == "xpsnr")
            if len(values) != expected:
                raise self._failed(f"{metric} came for {len(values)} frames of {expected}")
        return scores

    def close(self) -> None:
        """End the process, finished or not, and remove its files."""
        self._stack.close()

    def _start(self, program: str, layout: Mapping[str, object]) -> subprocess.Popen[bytes]:
        # Without probing: ffmpeg must not wait for more of one input than is pushed of the others.
        inputs = {
            picture: ffmpeg.input(f"pipe:{pipe.reading_end}", probesize=32, analyzeduration=0, **layout)
            for picture, pipe in zip(self._pictures, self._pipes, strict=True)
        }
        output = scoring_output(self._filters, inputs)
        command = ffmpeg.compile(output, [program, "-hide_banner", "-nostdin", "-loglevel", "error"])
        try:
            with (self._folder / _MESSAGES).open("wb") as messages:
                return subprocess.Popen(
                    command,
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=messages,
                    pass_fds=[pipe.reading_end for pipe in self._pipes],
                )
        except OSError as error:
            raise file_error(program, "can't be started", error) from None

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _failed(self, what: str) -> MediaError:
        self._stop()
        said = (self._folder / _MESSAGES).read_text(errors="replace").strip().splitlines()
        reason = " | ".join(said[-4:]) or "it gave no reason"
        hint = "; unset STCODEC_FFMPEG to use the one that has it" if "No such filter" in reason else ""
        return MediaError(f"ffmpeg could not score the frames ({what}): {reason}{hint}")

    def _buffers(self, frame: Frame) -> list[memoryview]:
        parts = (
            [frame] if isinstance(frame, bytes | bytearray | memoryview) else [np.ascontiguousarray(one) for one in frame]
        )
        views = [memoryview(part).cast("B") for part in parts]  # type: ignore[arg-type]
        if (size := sum(len(view) for view in views)) != self._frame_bytes:
            raise ValueError(f"a frame has {size} bytes, not {self._frame_bytes}")
        return views
