"""A ladder of renditions, made one after another from the same maps, and packaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from stcodec.batch.ladder import SEGMENT_SECONDS, Rung, rung_options, rungs_for
from stcodec.batch.task import Made, MakeTask, emptied, kept_maps
from stcodec.media.decode import VideoReader
from stcodec.media.output import atomic_output
from stcodec.media.package import write_package
from stcodec.media.paths import check_input
from stcodec.pipeline.encode import encode_job, prepare, rendition
from stcodec.pipeline.progress import Meter
from stcodec.report import EncodeReport


@dataclass(frozen=True)
class LadderTask(MakeTask):
    """A video to be made into a folder with HLS and DASH."""

    def run(self) -> Made:
        """Make it. Raises what `stcodec.encode` raises."""
        folder = emptied(self.made.parent)
        before = check_input(self.source).stat()
        with VideoReader(self.source, keep_partial=self.options.keep_partial) as reader:
            video = reader.info
        reports, paths, were_kept = list[EncodeReport](), list[Path](), False
        for number, rung in enumerate(rungs_for(self.options.ladder, video)):
            paths.append(folder / f"{rung.name}.mp4")
            report, kept = self._encode(rung, paths[-1])
            reports.append(report)
            were_kept = kept if number == 0 else were_kept
        messages = write_package(paths, self.source, emptied(self.made), SEGMENT_SECONDS)
        said = dict.fromkeys([*(one for report in reports for one in report.messages), *messages])
        seconds = sum(report.wall_seconds for report in reports)
        whole = replace(reports[0], wall_seconds=seconds, messages=tuple(said))
        return self.finished(whole, before, None, maps_were_kept=were_kept)

    def _encode(self, rung: Rung, path: Path) -> tuple[EncodeReport, bool]:
        """A rendition in a file of its own; whether its maps were there."""
        job = prepare(self.source, path, self.options.encode, self.running)
        job = rendition(job, rung_options(self.options.encode, rung, job.reader.info), rung.lines)
        with job.reader, kept_maps(job, self.cache, path.parent) as (guided, _, kept), atomic_output(path) as temporary:
            return encode_job(guided, temporary, self.running, Meter(None, job.reader.info)), kept
