"""The report page as a file: whole, self-contained, and with nothing in it that was not to be there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from results_sample import make_evaluation, self_weight

from stcodec.errors import MediaError
from stcodec.evaluate.report import write_report
from stcodec.evaluate.report.pictures import data_uri
from stcodec.evaluate.report.series import MAX_INSTANTS, series_blocks
from stcodec.evaluate.report.view import page_data

HOSTILE = ("<img src=x onerror=alert(1)>.mp4", 'it\'s "quoted" </script><!-- & \u2028')


def test_page_is_one_file_that_holds_all(tmp_path: Path) -> None:
    text = write_report(make_evaluation(HOSTILE, frames=10), tmp_path).read_text(encoding="utf-8")
    assert text.count("</script>") == text.count("<script")
    assert "onerror=alert(1)>" not in text and "<!--" not in text
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", text)
    blocks = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    assert [clip["name"] for clip in json.loads(blocks[0])["clips"]] == list(HOSTILE)


def test_an_older_page_is_replaced_and_a_missing_folder_told(tmp_path: Path) -> None:
    results = make_evaluation(["crossing"], frames=10)
    (tmp_path / "report.html").write_text("old")
    assert write_report(results, tmp_path).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(MediaError, match="does not exist"):
        write_report(results, tmp_path / "nowhere")


def test_numbers_that_are_not_finite_become_unknown(tmp_path: Path) -> None:
    results = make_evaluation(["crossing"], frames=10)
    point = results.curves[0].points[0]
    broken = replace(
        point,
        scores={**point.scores, "psnr-whole": float("inf")},
        series={**point.series, "psnr-whole": (float("nan"), None, 30.0)},
    )
    curve = replace(results.curves[0], points=(broken, *results.curves[0].points[1:]))
    text = write_report(replace(results, curves=(curve, *results.curves[1:])), tmp_path).read_text(encoding="utf-8")
    assert not re.search(r"[:\[,](NaN|-?Infinity)[,\]}]", text)
    assert '"values":[null,null,30.0]' in text


def test_pictures_outside_the_folder_and_other_files_stay_out(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\nsecret")
    (inside / "page.jpg").write_bytes(b"<html>")
    (inside / "good.png").write_bytes(b"\x89PNG\r\n\x1a\nx")
    (inside / "good.webp").write_bytes(b"RIFF\n\0\0\0WEBPVP8 x")
    (inside / "sound.webp").write_bytes(b"RIFF\n\0\0\0WAVEfmt x")
    root = inside.resolve()
    assert data_uri("good.webp", root).startswith("data:image/webp;base64,")
    assert data_uri("good.png", root).startswith("data:image/png;base64,")
    for name in ("../secret.png", str(tmp_path / "secret.png"), "page.jpg", "sound.webp", "missing.png", ".", "", "a\0b"):
        assert data_uri(name, root) == "", name


def test_long_clips_keep_their_worst_frames() -> None:
    results = make_evaluation(["long"], arm_names=("plain",), frames=3 * MAX_INSTANTS)
    point = results.curves[0].points[0]
    values = [40.0] * (3 * MAX_INSTANTS)
    values[1000] = 20.0
    changed = replace(point, series={"psnr-whole": tuple(values), "cambi-whole": tuple(-value for value in values)})
    block = series_blocks(replace(results, curves=(replace(results.curves[0], points=(changed,)),)))["series-0"]
    series = block["curves"][0]["points"][0]["series"]
    assert block["stride"] == 3 and len(series["psnr-whole"]["values"]) == len(block["seconds"]) == MAX_INSTANTS
    assert series["psnr-whole"]["values"][1000 // 3] == 20.0
    assert series["cambi-whole"]["values"][1000 // 3] == -20.0  # lower is better: the worst is the highest


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        (("plain", "center", "motion", "neural", "human"), "neural"),
        (("plain", "center", "motion", "human"), "motion"),
        (("plain", "human"), "human"),
        (("plain",), None),
    ],
)
def test_the_arm_that_leads(arms: tuple[str, ...], expected: str | None) -> None:
    assert page_data(make_evaluation(["crossing"], arm_names=arms, frames=10))["main_arms"][0] == expected


def test_a_self_weighted_arm_leads_only_where_no_other_is() -> None:
    results = make_evaluation(["crossing"], arm_names=("plain", "center", "neural"), frames=10)
    assert page_data(self_weight(results, "neural"))["main_arms"][0] == "center"
    alone = make_evaluation(["crossing"], arm_names=("plain", "neural"), frames=10)
    assert page_data(self_weight(alone, "neural"))["main_arms"][0] == "neural"
