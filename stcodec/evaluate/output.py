"""The files that an evaluation leaves in its folder."""

from __future__ import annotations

from pathlib import Path

from stcodec.errors import MediaError
from stcodec.evaluate.report import REPORT_NAME, write_report
from stcodec.evaluate.results import Evaluation
from stcodec.evaluate.results_json import to_csv, to_json
from stcodec.media.output import atomic_output, check_output
from stcodec.media.paths import display_name, file_error, local_url

RESULTS_NAME = "results.json"
TABLE_NAME = "results.csv"


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raises MediaError unless results can be written into a folder, made or still to be made, without losing others."""
    local_url(folder)
    if not folder.exists():
        check_output(folder, overwrite=False)
        return
    if not folder.is_dir():
        raise MediaError(f"{display_name(folder)}: is a file; give a folder for the report")
    for name in (RESULTS_NAME, TABLE_NAME, REPORT_NAME):
        check_output(folder / name, overwrite=overwrite)


def make_folder(folder: Path) -> None:
    """Make the folder if it is not there. Raises MediaError."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise file_error(folder, "can't be made", error) from None


def write_all(results: Evaluation, folder: Path) -> None:
    """Write results.json, results.csv and report.html, each whole or not at all. Raises MediaError."""
    for name, text in ((RESULTS_NAME, to_json(results)), (TABLE_NAME, to_csv(results))):
        with atomic_output(folder / name, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_report(results, folder)
