"""Batches: folders of videos, each file a job with a row in the job table."""

from stcodec.batch.commands import plan, retry, run, status
from stcodec.batch.hooks import command_words
from stcodec.batch.ladder import parse_ladder
from stcodec.batch.listener import Listener
from stcodec.batch.options import BatchOptions, BatchRun
from stcodec.batch.storage import Remote, place_of
from stcodec.batch.summary import BatchSummary
from stcodec.batch.table import JobRow

__all__ = [
    "BatchOptions",
    "BatchRun",
    "BatchSummary",
    "JobRow",
    "Listener",
    "Remote",
    "command_words",
    "parse_ladder",
    "place_of",
    "plan",
    "retry",
    "run",
    "status",
]
