"""Runs of the command in processes that have all of it imported: many inputs a minute, and each may crash by itself."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path

from command import Outcome

from stcodec.__main__ import program

LIMIT_SECONDS = 60.0
_IMPORTED = [
    "fuzzed",
    "numpy",
    "cv2",
    "onnxruntime",
    "stcodec.cli.command",
    "stcodec.batch.commands",
    "stcodec.evaluate",
    "stcodec.diagnose.inspect",
    "stcodec.pipeline.encode",
    "stcodec.stream.stream",
]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(_IMPORTED)


def run_forked(folder: Path, do: Callable[..., None], *arguments: str) -> Outcome:
    """Do it in a folder, with `tmp` for temporary files; the status is negative after a signal.

    Raises TimeoutError if it takes too long.
    """
    process = _FORKS.Process(target=_run, args=(str(folder), do, arguments))
    process.start()
    process.join(LIMIT_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError(f"{arguments} takes longer than {LIMIT_SECONDS:g} s")
    assert process.exitcode is not None
    out, err = (folder / name for name in ("out", "err"))
    said = Outcome(process.exitcode, out.read_text(errors="replace"), err.read_text(errors="replace"))
    out.unlink()
    err.unlink()
    return said


def _run(folder: str, do: Callable[..., None], arguments: tuple[str, ...]) -> None:
    os.chdir(folder)
    os.environ["TMPDIR"] = str(Path(folder) / "tmp")
    os.setsid()
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    do(*arguments)


def command_line(*arguments: str) -> None:
    """The program itself."""
    sys.argv = ["stcodec", *arguments]
    program()


def weights(path: str) -> None:
    """A file of weights, as Python users give it: read for both run-times."""
    from stcodec.attention.neural_onnx import OnnxEngine
    from stcodec.errors import AttentionError
    from stcodec.model.weights import load_weights

    for read in (load_weights, OnnxEngine):
        try:
            read(Path(path))
        except AttentionError as error:
            print(f"stcodec: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    os._exit(0)
