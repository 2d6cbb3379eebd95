"""The report page as a reader sees it, in a real browser, from a file and without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from browser import Page, open_browser
from results_sample import (
    ATTENDED_PERCENT,
    WHOLE_PERCENT,
    make_evaluation,
    make_pictures,
    make_viewer,
    refuse,
    self_weight,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from stcodec.evaluate.report import write_report
from stcodec.evaluate.results import Arm, Evaluation, Failure

HOSTILE = "<img src=x onerror=alert(1)>.mp4"
QUOTED = 'it\'s "quoted" </script><!-- & \u2028'
CLIPS = ("crossing", "market", HOSTILE, QUOTED)
WIDTHS = (360, 768, 1280, 1920)


def sample(folder: Path) -> Evaluation:
    """Four clips, two encoders, five arms; pictures of two clips; one failure."""
    return make_evaluation(
        CLIPS,
        encoders=("libx264", "libx265"),
        viewers=[make_viewer(CLIPS[0], make_pictures(folder, "a", 3)), make_viewer(HOSTILE, make_pictures(folder, "b", 2))],
        failures=[Failure(HOSTILE, "vmaf-whole", "libvmaf <b>failed</b>", "libx264", "motion", 30.0)],
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return write_report(sample(folder), folder)


@pytest.fixture
def opened(page: Page, report: Path) -> Page:
    """The sample's page, all drawn."""
    page.open(report)
    page.wait(lambda: page.count("#curves-chart path.line") == 5, "five curves are drawn")
    return page


def show(page: Page, results: Evaluation, folder: Path) -> None:
    page.open(write_report(results, folder))


def minus(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


# What the page says


def test_headline_shows_the_saving_its_interval_and_its_cost(opened: Page) -> None:
    assert opened.text("#headline .main .value") == "−26.5 %"
    assert opened.text("#headline .main .note") == "95 % interval −31.0 to −22.1 %, mean of 4 clips"
    assert opened.text("#headline .cost .value") == "+10.3 %"
    assert opened.text("#headline .share .value") == "83 %"
    assert "neural spends 26.5 % fewer bits" in opened.text("#headline .lead")
    assert "spends 10.3 % more bits" in opened.text("#headline .lead")
    assert "self-weighted" not in opened.text("#result")


def test_every_arm_stands_with_both_figures(opened: Page) -> None:
    rows = opened.texts("#arms-table tbody tr")
    assert len(rows) == 4
    for row, arm in zip(rows, ATTENDED_PERCENT, strict=True):
        assert arm in row and minus(ATTENDED_PERCENT[arm]) in row and minus(WHOLE_PERCENT[arm]) in row
    assert opened.count("#forest circle") == 8


def test_clip_table_has_every_clip_and_the_mean(opened: Page) -> None:
    cells = opened.run(
        "[...document.querySelectorAll('#clips-table tbody tr')].map((r) => [...r.cells].map((c) => c.innerText))"
    )
    found = {row[0]: row[1:] for row in cells}
    assert set(found) == set(CLIPS)
    # The sample's clips lie at -3, -1, +1 and +3 around the mean; the columns: center, motion, neural, human.
    assert found["crossing"][4:6] == [minus(-26.5 - 3), minus(10.3 - 3)]
    assert found[HOSTILE][4:6] == [minus(-26.5 + 1), minus(10.3 + 1)]
    mean = opened.texts("#clips-table tfoot td")[4:6]
    assert [text.split("\n")[0] for text in mean] == ["−26.5", "+10.3"]
    assert "−31.0 to −22.1" in mean[0]


def test_switching_the_metric_changes_the_tables(opened: Page) -> None:
    opened.click("#clips-controls input[aria-label=VMAF]")
    assert opened.texts("#clips-table tfoot td")[4].startswith(minus(-26.5 * 0.8))
    assert opened.texts("#arms-table tbody tr")[2].split("\t")[1].startswith(minus(-26.5 * 0.8))
    assert opened.text("#headline .main .value") == "−26.5 %"  # the headline stays what it is
    assert "non-standard" in opened.text("#metric-note")


def test_sorting_by_a_column_and_back(opened: Page) -> None:
    column = "#clips-table [data-sort='5']"  # neural, attended
    opened.click(column)
    assert opened.texts("#clips-table tbody th") == list(CLIPS)  # the sample's clips rise in order
    assert opened.run("document.querySelector(arguments[0]).parentNode.ariaSort", column) == "ascending"
    opened.click(column)
    assert opened.texts("#clips-table tbody th") == list(reversed(CLIPS))


def test_other_encoder_and_versions_and_failures(opened: Page) -> None:
    opened.choose("#headline-controls select", "libx265")
    assert "libx265" in opened.text("#clips-list .caption")
    assert "libvmaf <b>failed</b>" in opened.text("#failures-list")
    assert "core 165" in opened.text("#versions") and "18.1.0" in opened.text("#versions")
    assert opened.text("#command").startswith("stcodec evaluate clips")
    assert "odd ones guide the human arm" in opened.text("#notes-list")


# Charts


def curve_points(page: Page, arm: str = "neural") -> list[str]:
    marks = "[...document.querySelectorAll(`#curves-chart g[data-arm='${arguments[0]}'] .mark`)]"
    return list(page.run(f"{marks}.map((mark) => mark.getAttribute('transform'))", arm))


def test_curves_have_every_point_and_lie_in_order(opened: Page) -> None:
    for arm in ("plain", *ATTENDED_PERCENT):
        assert len(curve_points(opened, arm)) == 5
    left = {arm: float(re.findall(r"[\d.]+", curve_points(opened, arm)[0])[0]) for arm in ("plain", "neural", "human")}
    assert left["human"] < left["neural"] < left["plain"]  # fewer bits stand further left


def test_deltas_of_the_clip_s_curves_stand_below_them(opened: Page) -> None:
    cells = opened.texts("#deltas-table tbody tr:first-child td")
    center = round(ATTENDED_PERCENT["center"] - 3, 1)  # of the first of four clips
    assert [float(cell.replace("\u2212", "-").split()[0]) for cell in cells[:2]] == [center, round(center + 0.1, 1)]
    assert cells[2:] == ["+0.57 dB", "92 %"]
    opened.choose("#curves-controls .control:nth-child(3) select", "attended PSNR, worst 5 % of frames")
    assert not opened.texts("#deltas-table td")


def test_switching_metric_axis_and_clip_redraws_the_curves(opened: Page) -> None:
    seen = [curve_points(opened)]
    opened.choose("#curves-controls .control:nth-child(3) select", "VMAF")
    seen.append(curve_points(opened))
    assert "VMAF" in opened.text("#curves-chart .axis")
    opened.click("#curves-controls input[aria-label=Linear]")
    seen.append(curve_points(opened))
    opened.choose("#curves-controls .control:nth-child(1) select", "market")
    seen.append(curve_points(opened))
    assert all(one != other for nth, one in enumerate(seen) for other in seen[:nth])


def test_legend_hides_an_arm_in_every_chart(opened: Page) -> None:
    opened.click("#curves-legend button[data-arm=neural]")
    assert curve_points(opened) == []
    assert opened.count("#timeline-chart g[data-arm=neural]") == 0
    assert opened.run("document.querySelector('#timeline-legend [data-arm=neural]').ariaPressed") == "false"
    opened.click("#timeline-legend button[data-arm=neural]")
    assert len(curve_points(opened)) == 5


def test_keyboard_walks_along_the_curve(opened: Page, report: Path) -> None:
    chart = opened.driver.find_element(By.CSS_SELECTOR, "#curves-chart svg")
    chart.send_keys(Keys.HOME)
    first = opened.text("#curves-chart .tooltip")
    assert "plain" in first and "CRF 38" in first and "kbit/s" in first
    chart.send_keys(Keys.ARROW_RIGHT)
    assert "CRF 34" in opened.text("#curves-chart .tooltip")
    chart.send_keys(Keys.ARROW_DOWN)
    assert "center" in opened.text("#curves-chart .tooltip")
    assert opened.run("document.querySelector('#curves-chart .tooltip').offsetHeight") < 120  # three lines, small marks


def test_mouse_shows_values(opened: Page) -> None:
    script = """((svg) => { const box = svg.getBoundingClientRect();
        svg.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + box.width / 2, clientY: box.top + 80})); })"""
    opened.run(f"{script}(document.querySelector('#timeline-chart svg'))")
    tip = opened.text("#timeline-chart .tooltip")
    assert re.match(r"1\.\d\d s", tip)
    assert all(arm in tip for arm in ("plain", *ATTENDED_PERCENT))


def test_timeline_marks_the_worst_frames_of_each_arm(opened: Page) -> None:
    # 60 frames, the first 8 (0.3 s) are not scored: the worst 5 % of 52 are 3.
    assert opened.count("#timeline-chart g[data-arm=neural] .worst") == 3
    assert opened.count("#timeline-chart .unscored") == 1
    before = opened.run("document.querySelector('#timeline-chart g[data-arm=neural] path').getAttribute('d')")
    opened.choose("#timeline-controls .control:nth-child(4) select", "38")
    assert opened.run("document.querySelector('#timeline-chart g[data-arm=neural] path').getAttribute('d')") != before


# Pictures


def test_slider_and_arrow_keys_change_the_pictures(opened: Page) -> None:
    def sources() -> list[str]:
        return list(opened.run("[...document.querySelectorAll('#frames img')].map((picture) => picture.src)"))

    first = sources()
    assert len(first) == len(set(first)) == 7
    assert all(source.startswith("data:image/jpeg;base64,") for source in first)
    assert opened.run("[...document.querySelectorAll('#frames img')].every((p) => p.complete && p.naturalWidth === 160)")
    slider = opened.driver.find_element(By.ID, "frame-slider")
    slider.send_keys(Keys.ARROW_RIGHT)
    second = sources()
    assert not set(first) & set(second)
    assert "0.50 s, picture 2 of 3" in opened.text("#frames output")
    opened.driver.find_element(By.ID, "frames-stage").send_keys(Keys.ARROW_LEFT)
    assert sources() == first


def test_captions_say_rate_crf_and_quality(opened: Page) -> None:
    plain, guided = opened.texts("#frames-pair figcaption")
    assert "CRF 30, 812 kbit/s" in plain and "attended PSNR 36.00 dB" in plain
    assert "CRF 27.5, 815 kbit/s (+0.4 % against plain)" in guided and "PSNR 36.25 dB" in guided
    cells = "[...document.querySelectorAll('#frames-table tbody tr:first-child td')].map((cell) => cell.textContent)"
    assert opened.run(cells) == ["36.00", "38.00", "+2.00"]
    assert "QP 18" in opened.text("#frames-rest [data-panel=qp]")


def test_clip_without_pictures_says_so(opened: Page) -> None:
    opened.choose("#frames-controls select", "market")
    assert "no pictures of this clip" in opened.text("#frames-slider")
    assert opened.count("#frames img") == 0


# Hostile names, and no network


def test_names_are_only_text(opened: Page) -> None:
    opened.choose("#curves-controls .control:nth-child(1) select", HOSTILE)
    assert HOSTILE in opened.texts("#clips-table tbody th")
    assert QUOTED in opened.texts("#clips-table tbody th")
    assert opened.count("img:not(#frames img)") == 0
    assert opened.count("b b") == 0 and opened.count("#failures-list b") == 1  # only our own


def test_page_is_quiet_and_asks_for_nothing(page: Page, report: Path) -> None:
    page.open(report)
    page.wait(lambda: page.count("#curves-chart path.line") == 5, "five curves are drawn")
    messages, asked = page.drain()
    assert messages == []
    assert [address for address in asked if not address.startswith("data:")] == [report.as_uri()]


def test_page_could_not_reach_a_network(opened: Page) -> None:
    script = "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('reached'), () => done('refused'))"
    assert opened.driver.execute_async_script(script) == "refused"
    assert any("Content Security Policy" in message for message in opened.drain()[0])


@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways(page: Page, report: Path, width: int) -> None:
    page.open(report, width)
    page.wait(lambda: page.count("#curves-chart path.line") == 5, "five curves are drawn")
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # Nothing but what scrolls in a box of its own sticks out.
    out = """[...document.querySelectorAll('main *:not(.scroll *)')].filter((node) => node.checkVisibility()
        && node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map((node) => node.outerHTML.slice(0, 80))"""
    assert page.run(out) == []


def test_every_control_has_a_name_and_headings_are_in_order(opened: Page) -> None:
    nameless = """[...document.querySelectorAll('button, input, select, [role=application], [role=region], [role=group]')]
        .filter((node) => !node.ariaLabel && !node.labels?.length && !node.innerText).map((node) => node.outerHTML)"""
    assert opened.run(nameless) == []
    levels = opened.run("[...document.querySelectorAll('h1, h2, h3')].map((node) => Number(node.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


# What a result may lack


def test_self_weighted_is_labelled_everywhere(page: Page, tmp_path: Path) -> None:
    results = make_evaluation(["crossing", "market"], arm_names=("plain", "motion"))
    results = replace(results, viewers=(make_viewer("crossing", make_pictures(tmp_path, "a", 1), arm="motion"),))
    show(page, self_weight(results, "motion"), tmp_path)
    page.wait(lambda: page.count("#curves-chart path.line") == 2, "both curves are drawn")
    assert "flatters" in page.text("#self-weighted")
    for place in ("#headline .lead", "#headline .main", "#forest", "#arms-table", "#curves-legend", "#timeline-legend"):
        assert "self-weighted" in page.run("document.querySelector(arguments[0]).textContent", place), place
    assert "self-weighted" in page.text("#frames-pair")
    assert page.texts("#clips-table tbody td")[0].endswith("*")
    assert "* self-weighted" in page.text("#clips-list") and "* self-weighted" in page.text("#measures-list")
    assert not page.texts("#clips-table tbody td")[1].endswith("*")  # the whole frame is not weighted


def test_refusal_says_why(page: Page, tmp_path: Path) -> None:
    reason = "the curves do not overlap"
    results = make_evaluation(["crossing", "market"], arm_names=("plain", "neural"))
    show(page, refuse(results, "neural", reason), tmp_path)
    assert page.text("#headline .main .value") == "No BD-rate"
    assert reason in page.text("#headline .main") and reason in page.text("#headline .cost")
    assert "%" not in page.text("#headline .main").replace("95 %", "")
    show(page, refuse(results, "neural", reason, clips=["market"]), tmp_path)
    assert page.text("#headline .main .value") == "−26.5 %"
    assert f"No BD-rate for 1 clip: {reason} (market)" in page.text("#headline .main")
    assert page.texts("#clips-table tbody tr:nth-child(2) td")[0] == "none"


def test_many_refusals_leave_the_headline_short(page: Page, tmp_path: Path) -> None:
    names = [f"clip {number}" for number in range(8)]
    results = make_evaluation(names, frames=10)
    for number, name in enumerate(names[:6]):
        results = refuse(results, "neural", f"the curves overlap by {number} %", clips=[name])
    show(page, results, tmp_path)
    assert page.texts("#headline .main .refusal")[1:] == ["Nor for 5 other clips: the reasons stand under Clip by clip."]
    assert page.count("#clips-list .reasons li") == 12


def test_thirty_clips_and_one(page: Page, tmp_path: Path) -> None:
    show(page, make_evaluation([f"clip {number}" for number in range(30)], frames=10), tmp_path)
    assert page.count("#clips-table tbody tr") == 30
    assert page.texts("#clips-table tbody th")[:3] == ["clip 0", "clip 1", "clip 2"]
    show(page, make_evaluation(["only"], arm_names=("plain", "center")), tmp_path)
    assert "no interval" in page.text("#headline .main")
    assert page.count("#headline .share") == 0
    assert not page.visible("#frames")


def test_without_weights_only_the_whole_frame_is_shown(page: Page, tmp_path: Path) -> None:
    results = make_evaluation(["crossing", "market"])
    metrics = tuple(metric for metric in results.metrics if metric.region == "whole")
    names = {metric.name for metric in metrics}
    results = replace(
        results,
        metrics=metrics,
        headline_metric="psnr-whole",
        savings=tuple(one for one in results.savings if one.metric in names),
        headlines=tuple(one for one in results.headlines if one.metric in names),
    )
    show(page, results, tmp_path)
    assert "no weights" in page.text("#headline .warning")
    assert page.text("#headline .value") == "+3.7 %"
    assert page.count("#headline .main") == 0


def test_comparison_shows_scores_of_files(page: Page, tmp_path: Path) -> None:
    results = make_evaluation(["reference"], arm_names=("plain", "neural"))
    names = ("a.mp4", "<b>b</b>.mkv")
    curves = [
        replace(curve, encoder="", arm=name, points=(replace(curve.points[0], crf=None, name=name),))
        for curve, name in zip(results.curves, names, strict=True)
    ]
    arms = tuple(Arm(name, "", "a file") for name in names)
    show(page, replace(results, kind="compare", arms=arms, curves=tuple(curves), savings=(), headlines=()), tmp_path)
    assert page.texts("#scores-table tbody th") == list(names)
    assert page.count("#scores-table tbody tr:first-child td") == 2 + len(results.metrics)
    page.wait(lambda: page.count("#curves-chart .mark") == 2, "two marks are drawn")
    assert not page.visible("#clips") and not page.visible("#arms")
    assert (page.text("#h-arms-used"), page.text("#h-clips-used")) == ("Files", "Reference")
    assert not page.visible("#read [data-of]")
