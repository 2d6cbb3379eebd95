"""Dry run: what an encode would do, without writing anything."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from stcodec.encoders.session import EncoderSession
from stcodec.media.mux import Muxer
from stcodec.media.output import work_folder
from stcodec.media.paths import display_name
from stcodec.options import EncodeOptions, RunOptions
from stcodec.pipeline.encode import prepare


def dry_run(
    source: str | os.PathLike[str], output: str | os.PathLike[str], options: EncodeOptions, run: RunOptions
) -> dict[str, Any]:
    """Everything that `encode` checks before the first frame, the encoder opened too. Raises what `encode` raises."""
    job = prepare(source, output, options, run)
    video = job.reader.info
    with job.reader, work_folder() as folder:
        trial = folder / f"trial{job.target.suffix}"
        with Muxer(trial, job.plan.encoder.name, video.frame_rate, shown_name=display_name(job.target)) as muxer:
            muxer.copy_from(job.reader, job.options.keep)
        EncoderSession(replace(job.plan, searched_kbps=None))
    return {
        "source": job.reader.name,
        "output": display_name(job.target),
        "video": f"{video.codec} {video.width_px}x{video.height_px} {video.pix_fmt}",
        "frames": video.frames,
        "duration_seconds": video.duration_seconds,
        "encoder": job.plan.encoder.name,
        "bitrate_kbps": options.bitrate_kbps,
        "two_pass": options.two_pass,
        "encoder_options": dict(job.plan.options),
        "pix_fmt": job.plan.pix_fmt,
        "attention": options.attention,
        "block_px": job.plan.grid.block_px if job.plan.has_offsets else None,
        "messages": [*job.plan.messages, *muxer.messages],
    }
