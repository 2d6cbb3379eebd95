"""`stcodec batch IN OUT`, `stcodec batch status OUT`, `stcodec batch retry IN OUT`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stcodec import interrupts
from stcodec.cli.options import (
    add_attention_flags,
    add_keep_flags,
    add_output_flags,
    add_search_flags,
    add_verify_flag,
    add_video_flags,
    add_view_flags,
    encode_options,
    from_flags,
    goal_of,
    say_device,
)
from stcodec.cli.progress_bar import counted, duration, shown, size
from stcodec.cli.unguided import without_map
from stcodec.media.paths import display_name

if TYPE_CHECKING:
    from stcodec.batch import BatchOptions, BatchRun, BatchSummary, Listener
    from stcodec.progress import Progress, ProgressSink

EXIT_SOME_FAILED = 3
_MOST_LINES = 20


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "batch",
        help="encode all videos of a folder; goes on where it was broken off",
        description="Encode all videos of a folder and of the folders in it. What is finished is not made again, however "
        "the run before ended. `batch status OUT` tells how a run stands; `batch retry IN OUT`, with the flags of the "
        "last run, also tries again what failed. (A folder of that name is written ./status.)",
    )
    command.add_argument("source", metavar="IN", help="folder (or one file, or a URL); or the word status or retry")
    command.add_argument("output", metavar="OUT", nargs="?", help="folder or URL; its tree becomes that of IN")
    command.add_argument("retried_output", nargs="?", help=argparse.SUPPRESS)
    files = command.add_argument_group("which files, and their names")
    files.add_argument("--include", action="append", default=[], metavar="PATTERN", help="only such files: '*.mov', 'a/*'")
    files.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="leave files or folders out")
    files.add_argument("--template", metavar="NAME", help="names of outputs: '{stem}-{encoder}.{ext}'; default {stem}.{ext}")
    files.add_argument(
        "--replace", action="store_true", help="results take the place of originals, once they are checked and small enough"
    )
    files.add_argument(
        "--min-saving",
        dest="min_saving_percent",
        type=float,
        default=5.0,
        metavar="PERCENT",
        help="with --replace: else the original stays (%(default)s)",
    )
    files.add_argument(
        "--ladder", metavar="LIST", help="1080p@5M,720p@3M,480p@1200k, or auto: a folder with HLS and DASH of each video"
    )
    add_video_flags(command)
    add_view_flags(command)
    add_attention_flags(command)
    add_keep_flags(command)
    add_search_flags(command)
    running = command.add_argument_group("the run")
    running.add_argument("--jobs", type=int, metavar="N", help="files side by side; default: one for every four cores")
    running.add_argument(
        "--attempts", type=int, default=2, metavar="N", help="tries of a file whose process dies (%(default)s)"
    )
    running.add_argument("--state", metavar="FOLDER", help="where the job table is if OUT is a URL (s3://, gs://, sftp://)")
    running.add_argument("--ray", metavar="ADDRESS", help="on a Ray cluster: its address, or auto (docs/batch.md)")
    running.add_argument(
        "--part-seconds", type=float, default=60.0, metavar="N", help="length of the parts of long videos; 0 = no parts (60)"
    )
    running.add_argument("--on-done", metavar="CMD", help="run for every finished file, its name as the last word; no shell")
    running.add_argument(
        "--watch",
        dest="watch_seconds",
        type=float,
        nargs="?",
        const=5.0,
        metavar="SECONDS",
        help="go on looking for new files, so often (5)",
    )
    running.add_argument("--report", type=Path, metavar="FILE.html", help="also write the summary as a page")
    running.add_argument("--dry-run", action="store_true", help="say what would be done and about how long, write nothing")
    add_output_flags(command)
    add_verify_flag(command)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status: 3 if some files failed."""
    from stcodec import batch
    from stcodec.errors import OptionsError

    command = arguments.source if arguments.source in ("status", "retry") else "run"
    if command == "retry":
        arguments.source, arguments.output, arguments.retried_output = arguments.output, arguments.retried_output, None
        if arguments.source is None or (arguments.output is None and not arguments.replace):
            raise OptionsError("give IN, OUT and the flags of the last run, too: stcodec batch retry IN OUT ...")
    if arguments.retried_output is not None:
        raise OptionsError(
            f"{display_name(arguments.retried_output)}: what is it for? Give IN and OUT only", path=arguments.retried_output
        )
    output, results = _output(arguments)
    words = () if arguments.on_done is None else batch.command_words(arguments.on_done)
    running = from_flags(batch.BatchRun, arguments, on_done=words)
    if command == "status":
        return _show(batch.status(output or Path()), arguments)
    say_device(arguments.device)
    if arguments.dry_run:
        return _dry_run(arguments, output, results, running)
    options, source = _options(arguments, results), batch.place_of(arguments.source)
    do = batch.retry if command == "retry" else batch.run
    return _watched(arguments, lambda listener: do(source, output, options, running, listener))


def _output(arguments: argparse.Namespace) -> tuple[Path | None, str | None]:
    """The folder that the job table is in, and the URL that results go to. Raises OptionsError."""
    from stcodec import batch
    from stcodec.errors import OptionsError

    output = None if arguments.output is None else batch.place_of(arguments.output)
    if isinstance(output, batch.Remote):
        if arguments.state is None:
            raise OptionsError(f"{output}: the job table has to be on this machine: give a folder for it with --state")
        return Path(arguments.state), output.url
    if arguments.state is not None:
        raise OptionsError("--state is for an OUT that is a URL; else the job table is in OUT")
    return output, None


def _watched(arguments: argparse.Namespace, do: Callable[[Listener], BatchSummary]) -> int:
    goes_on = "what is finished is kept, and the same command goes on from there"
    interrupts.ending.said = goes_on
    interrupts.ending.said_without = f"{goes_on}, and removes what is unfinished"
    with shown(arguments) as sink:
        summary = do(_listener(arguments, sink))
    return _show(summary, arguments)


def _dry_run(arguments: argparse.Namespace, output: Path | None, results: str | None, running: BatchRun) -> int:
    from stcodec import batch

    class Lister(batch.Listener):
        def note(self, text: str) -> None:
            if not arguments.quiet:
                print(display_name(text), file=sys.stderr)

        def finished(self, job: batch.JobRow) -> None:
            if arguments.json:
                print(json.dumps({"event": "planned", **job.as_mapping()}))
            else:
                print(f"{job.source_name} -> {display_name(job.output)}")

    options, source = _options(arguments, results), batch.place_of(arguments.source)
    summary, estimate = batch.plan(source, output, options, running, Lister())
    if arguments.json:
        print(json.dumps({"event": "estimate", **dataclasses.asdict(estimate)}))
        return _show(summary, arguments)
    status = _show(summary, arguments)
    if arguments.quiet:
        return status
    if estimate.seconds is None or estimate.bytes_after is None:
        print(f"to be made: {estimate.files} files of {size(estimate.bytes_before)}; how long it takes is not known yet")
    else:
        print(
            f"to be made: {estimate.files} files of {size(estimate.bytes_before)}; about {duration(estimate.seconds)} with "
            f"{estimate.jobs} jobs, about {size(estimate.bytes_after)} after ({estimate.basis})"
        )
    return status


def _options(arguments: argparse.Namespace, results: str | None) -> BatchOptions:
    from stcodec.batch import BatchOptions, parse_ladder
    from stcodec.batch.ladder import AUTO

    ladder = () if arguments.ladder is None else parse_ladder(arguments.ladder)
    options, goal = encode_options(arguments), goal_of(arguments)
    if ladder != AUTO:  # which goes by the quality where viewers look
        options, goal = without_map(arguments, options, goal, has_rate=bool(ladder))
    return from_flags(
        BatchOptions,
        arguments,
        encode=options,
        include=tuple(arguments.include),
        exclude=tuple(arguments.exclude),
        ladder=ladder,
        results=results,
        goal=goal,
    )


def _listener(arguments: argparse.Namespace, sink: ProgressSink) -> Listener:
    from stcodec import batch

    class Watcher(batch.Listener):
        def note(self, text: str) -> None:
            if not arguments.quiet:
                print(display_name(text), file=sys.stderr)

        def progress(self, progress: Progress) -> None:
            sink(progress)

        def finished(self, job: batch.JobRow) -> None:
            if arguments.json:
                print(json.dumps({"event": "file", **job.as_mapping()}), flush=True)
            elif job.error is not None:
                print(f"failed: {job.source_name}: {display_name(job.error)}", file=sys.stderr)

    return Watcher()


def _show(summary: BatchSummary, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps({"event": "summary", **summary.as_mapping()}), flush=True)
    elif not arguments.quiet:
        print(_text(summary))
    return EXIT_SOME_FAILED if summary.failed or summary.hooks_failed else 0


def _text(summary: BatchSummary) -> str:
    counts = {
        "done": summary.done,
        "kept as they were": summary.kept,
        "failed": summary.failed,
        "waiting": summary.waiting,
        "being made": summary.running,
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count or word == "done")
    lines = [f"{counted(summary.files, 'video')}: {said}; {counted(summary.skipped, 'other file')} passed over"]
    if summary.saving_percent is not None:
        word = "smaller" if summary.saving_percent >= 0 else "LARGER"
        lines.append(
            f"{summary.video_hours:.2f} hours of video, {size(summary.bytes_before)} before, {size(summary.bytes_after)} "
            f"after: {abs(summary.saving_percent):.1f} % {word}"
        )
    if summary.mean_quality_db is not None:
        lines.append(
            f"sampled where the maps say viewers look: PSNR {summary.mean_quality_db:.1f} dB on average, "
            f"{summary.least_quality_db:.1f} dB at least"
        )
    if summary.with_other_options:
        lines.append(f"{summary.with_other_options} were made before with other options and are kept; -y makes them again")
    if summary.hooks_failed:
        lines.append(f"the --on-done command failed for {summary.hooks_failed}; `stcodec batch retry IN OUT` runs it again")
    lines += [f"failed: {one.source}: {display_name(one.error)}" for one in summary.failures[:_MOST_LINES]]
    if len(summary.failures) > _MOST_LINES:
        lines.append(f"failed: {len(summary.failures) - _MOST_LINES} more; --json or --report has them all")
    if summary.failed:
        lines.append("`stcodec batch retry IN OUT`, with the same flags, tries again what failed")
    return "\n".join(lines)
