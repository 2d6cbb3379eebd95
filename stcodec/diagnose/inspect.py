"""`inspect`: what a source of attention does over a video, where it fails, and pages and videos that show it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from stcodec.attention import source_files
from stcodec.attention.center import map_shape
from stcodec.attention.gaze import GazeSource
from stcodec.diagnose.encoded import MOVED, find_moved, look_at_encode, open_encode
from stcodec.diagnose.faults import FAULTS, find_faults
from stcodec.diagnose.map_files import DetailFile, GridFile
from stcodec.diagnose.measure import LEAST_RATE, measure
from stcodec.diagnose.options import InspectOptions
from stcodec.diagnose.ranked import DIFFERENCE, GAZE, find_differences, score_gaze
from stcodec.diagnose.report import write_page
from stcodec.diagnose.results import InspectReport, subject_report
from stcodec.diagnose.sources import has_details, open_inspected
from stcodec.diagnose.subjects import Inspection, Subject
from stcodec.diagnose.video import write_video
from stcodec.media.decode import VideoReader
from stcodec.media.output import check_output, work_folder
from stcodec.media.paths import check_input, display_name
from stcodec.progress import Meter, ProgressSink
from stcodec.types import VideoInfo


def inspect(
    video: str | os.PathLike[str], options: InspectOptions | None = None, *, progress: ProgressSink | None = None
) -> InspectReport:
    """Look at the attention of a video. Raises OptionsError, MediaError or AttentionError; then nothing is left behind."""
    options = options or InspectOptions()
    path = check_input(video)
    targets = _check_outputs(path, options)
    gaze = None if options.gaze is None else GazeSource(options.gaze)
    texts = [options.attention] if options.against is None else [options.attention, options.against]
    with VideoReader(path, keep_partial=options.keep_partial, view=options.view) as reader:
        info = reader.info
    if gaze is not None:
        gaze.open(info)
    if options.encode is not None:
        open_encode(options.encode, info)
    meter = Meter(progress, info)
    with work_folder() as folder, ExitStack() as files:
        inspection = Inspection(
            path, info, options, _attend_all(path, texts, options, info, folder, files, meter), [*FAULTS]
        )
        if options.encode is not None:
            _look_at_encode(inspection, options.encode, folder, files, meter)
        if len(inspection.subjects) == 2:
            first, second = inspection.subjects
            inspection.faults.append(DIFFERENCE)
            first.ranked += find_differences(first.attended, second.attended)
        if gaze is not None:
            inspection.faults.append(GAZE)
            for subject in inspection.subjects:
                subject.ranked += score_gaze(subject.attended.series, subject.attended.maps, gaze, info)
        if options.report is not None:
            write_page(inspection, options.report, folder, meter)
        if options.video is not None:
            inspection.notes += write_video(inspection, options.video, meter)
        return _report(inspection, targets)


def _attend_all(
    path: Path, texts: list[str], options: InspectOptions, info: VideoInfo, folder: Path, files: ExitStack, meter: Meter
) -> list[Subject]:
    """Each source over the whole video, all at the same instants; its maps and details stay in files."""
    shape = map_shape(info)
    aspect = info.display_height_px / info.display_width_px
    details = [
        files.enter_context(DetailFile(folder / f"details-{index}", shape, aspect)) if has_details(text) else None
        for index, text in enumerate(texts)
    ]
    sources = [
        open_inspected(text, options.smoothing_seconds, None if sink is None else sink.append)
        for text, sink in zip(texts, details, strict=True)
    ]
    spec = LEAST_RATE
    for source in sources:
        spec = spec.merge(source.spec)
    subjects = []
    for index, (text, source, inner) in enumerate(zip(texts, sources, details, strict=True)):
        meter.enter("attention" if len(sources) == 1 else f"attention {'AB'[index]}")
        maps = files.enter_context(GridFile(folder / f"maps-{index}"))
        attended = measure(path, source, spec, maps, meter, options.keep_partial, view=options.view)
        if inner is not None:
            attended.series.add("temporal_percent", np.array(inner.temporal_percent, np.float32))
        subjects.append(Subject(text, attended, find_faults(attended.series, maps.__getitem__), details=inner))
    return subjects


def _look_at_encode(inspection: Inspection, path: Path, folder: Path, files: ExitStack, meter: Meter) -> None:
    subject = inspection.subjects[0]
    source = open_inspected(subject.text, inspection.options.smoothing_seconds)
    maps, qp = (files.enter_context(GridFile(folder / name)) for name in ("encode-maps", "encode-qp"))
    inspection.encoded = look_at_encode(path, source, source.spec.merge(LEAST_RATE), subject.attended, maps, qp, meter)
    inspection.faults.append(MOVED)
    subject.findings += find_moved(subject.attended, inspection.encoded)
    if not np.isfinite(subject.attended.series["qp_follows"]).any():
        inspection.notes.append(f"{display_name(path)}: its decoder tells no QP of blocks")
    if not source.spec.thumbnail_side_px and not source.spec.motion_vectors:
        inspection.notes.append(f"{subject.text} does not look at pictures: on the encode its maps are the same")


def _check_outputs(path: Path, options: InspectOptions) -> list[Path]:
    read = [*source_files(options.attention), *(source_files(options.against) if options.against else ())]
    read += [os.fspath(one) for one in (options.gaze, options.encode) if one is not None]
    if options.encode is not None:
        check_input(options.encode)
    return [
        check_output(one, overwrite=options.overwrite, source=path, also_read=read)
        for one in (options.report, options.video)
        if one is not None
    ]


def _report(inspection: Inspection, targets: list[Path]) -> InspectReport:
    first = inspection.subjects[0].attended
    return InspectReport(
        video=display_name(inspection.path),
        width_px=inspection.video.display_width_px,
        height_px=inspection.video.display_height_px,
        frames=first.frames,
        instants=len(first.series),
        shots=len(list(first.series.shots())),
        subjects=tuple(
            subject_report(one.text, one.attended.series, one.attended.looked_at, one.findings, one.ranked)
            for one in inspection.subjects
        ),
        faults=tuple(inspection.faults),
        outputs=tuple(display_name(one) for one in targets),
        notes=tuple(dict.fromkeys([*first.notes, *inspection.notes])),
    )
