"""tools/measure_front.py: from a small data set to a table, twice, and its arithmetic on curves that are known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import media
import pytest
import viewers

TOOLS = Path(__file__).parents[1] / "tools"
SIZE = (192, 128)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The script, as if its folder were where Python looks."""
    sys.path.insert(0, str(TOOLS))
    try:
        return __import__("measure_front")
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of twelve frames with gaze at one place each, laid out as the tools want it."""
    folder = tmp_path_factory.mktemp("front")
    for name in ("videos", "fixations"):
        (folder / name).mkdir()
    manifest = []
    for name, place in (("left", (40.0, 44.0)), ("right", (150.0, 80.0))):
        media.make_film(folder / "videos" / f"{name}.mkv", size=SIZE, frames=12)
        viewers.make_gaze(folder / "fixations" / f"{name}.csv", [place], spread_px=6)
        manifest.append({"name": name, "split": "train", "width": SIZE[0], "height": SIZE[1]})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["measure_front.py", *map(str, arguments)])
    tool.main()


def test_a_run_and_what_a_second_one_adds(
    tool: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "front.json"
    base = (
        "--data",
        data,
        "--work",
        tmp_path / "work",
        "--out",
        out,
        "--jobs",
        1,
        "--preset",
        "ultrafast",
        "--crf",
        "14:38:8",
    )
    also = ("--also", "seen | human | floor=0.6", "stronger AQ | none | | aq-strength=1.6 aq-mode=2")
    run(tool, monkeypatch, *base, "--only", "plain", *also)
    first = json.loads(out.read_text())
    assert set(first["settings"]) == {"plain", "seen", "stronger AQ"}
    rates = first["summary"]["seen"]["bd_rate_percent"]
    assert rates["psnr-attended"]["mean"] < -5 < 0 < rates["psnr-background"]["mean"]
    assert rates["psnr-attended"]["clips"] == 2 and rates["psnr-attended"]["low"] <= rates["psnr-attended"]["mean"]
    kept = first["summary"]["seen"]["same_crf"]
    assert kept["bytes"]["mean"] < -5 and kept["psnr-whole"]["mean"] < kept["psnr-attended"]["mean"]
    assert first["summary"]["stronger AQ"]["same_crf"]["bytes"]["mean"] != 0
    run(tool, monkeypatch, *base, "--only", "plain", "--metrics", "ssim-whole", "--clips", "left")
    second = json.loads(out.read_text())
    assert second["settings"]["seen"] == first["settings"]["seen"]
    left, right = (second["settings"]["plain"]["points"][clip] for clip in ("left", "right"))
    assert all("ssim-whole" in one and "psnr-whole" in one for one in left.values())
    assert not any("ssim-whole" in one for one in right.values())
    with pytest.raises(SystemExit, match="give another file"):
        run(tool, monkeypatch, *base, "--frames", 6)


def test_the_observers_are_cut_in_two(tool: ModuleType, data: Path, tmp_path: Path) -> None:
    films = sorted((data / "videos").iterdir())
    guide, judge = tool.halves(data, films, 0, tmp_path)
    for film in films:
        seen = [
            {line.split(",")[0] for line in (folder / f"{film.stem}.csv").read_text().splitlines()[1:]}
            for folder in (guide, judge)
        ]
        assert len(seen[0]) == len(seen[1]) == 2 and not seen[0] & seen[1]


def test_figures_of_known_curves(tool: ModuleType) -> None:
    plain = {
        "clip": {f"{crf}": {"kbps": 2.0**-crf * 1e9, "bytes": 1000, "psnr-whole": 50.0 - crf} for crf in (20, 22, 24, 26)}
    }
    mine = {"clip": {crf: {**one, "kbps": one["kbps"] / 2, "bytes": 500} for crf, one in plain["clip"].items()}}
    assert tool.bd_rates(plain, mine, "psnr-whole") == {"clip": pytest.approx(-50)}
    assert tool.same_crf(plain, mine, "bytes") == {"clip": pytest.approx(-50)}
    assert tool.same_crf(plain, mine, "psnr-whole") == {"clip": 0}
    setting = tool.setting_of("a name | 0.7*neural+0.3*center | floor=0.9 anchor=mean | aq-mode=3")
    assert setting.policy == {"floor": 0.9, "anchor": "mean"} and setting.extra == {"aq-mode": "3"}
    assert tool.setting_of("b | none").source == "none"
    assert tool.source_text("0.7*neural+0.3*center", {"neural": "map:x.mkv"}) == "0.7*map:x.mkv+0.3*center"
