"""tools/measure_front.py: from a small data set to a table, twice, and its arithmetic on curves that are known.

Also what its sisters make of known maps and curves: tools/rival_maps.py, tools/match_metrics.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import media
import numpy as np
import pytest
import viewers

from stcodec.media.decode import VideoReader
from stcodec.types import Clip

TOOLS = Path(__file__).parents[1] / "tools"
SIZE = (192, 128)


def script(name: str) -> ModuleType:
    """A script, as if its folder were where Python looks."""
    sys.path.insert(0, str(TOOLS))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return script("measure_front")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of twelve frames with gaze at one place each, laid out as the tools want it."""
    folder = tmp_path_factory.mktemp("front")
    for name in ("videos", "fixations"):
        (folder / name).mkdir()
    manifest = []
    for name, place in (("left", (40.0, 44.0)), ("right", (150.0, 80.0))):
        media.make_video(folder / "videos" / f"{name}.mkv", size=SIZE, frames=12)
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
    videos = sorted((data / "videos").iterdir())
    guide, judge = tool.halves(data, videos, 0, tmp_path)
    for video in videos:
        seen = [
            {line.split(",")[0] for line in (folder / f"{video.stem}.csv").read_text().splitlines()[1:]}
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
    assert tool.setting_of("c | none | | | libx265").encoder == "libx265"
    assert tool.source_text("0.7*neural+0.3*center", {"neural": "map:x.mkv"}) == "0.7*map:x.mkv+0.3*center"


def test_other_encoders_against_plain_x264_and_against_themselves(tool: ModuleType) -> None:
    def stored(encoder: str, source: str, factor: float) -> dict[str, object]:
        points = {f"{crf}": {"kbps": factor * 2.0**-crf * 1e9, "psnr-whole": 50.0 - crf} for crf in (20, 22, 24, 26)}
        return {"encoder": encoder, "source": source, "policy": {}, "extra": {}, "points": {"clip": points}}

    table = tool.summary(
        {
            "plain": stored("libx264", "none", 1),
            "x265": stored("libx265", "none", 0.8),
            "x265, guided": stored("libx265", "neural", 0.6),
        }
    )
    assert table["x265"]["bd_rate_percent"]["psnr-whole"]["mean"] == pytest.approx(-20, abs=0.01)
    assert table["x265, guided"]["bd_rate_percent"]["psnr-whole"]["mean"] == pytest.approx(-40, abs=0.01)
    assert table["x265, guided"]["bd_rate_own_percent"]["psnr-whole"]["mean"] == pytest.approx(-25, abs=0.01)
    assert "bd_rate_own_percent" not in table["x265"]


def test_files_of_results_are_put_together(tool: ModuleType) -> None:
    def file(observers: int, **scores: float) -> dict[str, object]:
        setting = {"encoder": "libx264", "source": "none", "policy": {}, "extra": {}, "points": {"clip": {"23": scores}}}
        how = {"frames": 36, "observers": observers}
        return {"how": how, "commands": [f"{sorted(scores)}"], "versions": {}, "settings": {"plain": setting}}

    merge = script("merge_front")
    base = {"kbps": 100.0, "psnr-whole": 40.0, "fvvdp": 9.0, "fvvdp-worst5": 8.5}
    found = merge.merged(file(1, **base), [file(2, kbps=100.0, fvvdp=9.2)], anew=["fvvdp"])
    assert found["settings"]["plain"]["points"]["clip"]["23"] == {"kbps": 100.0, "psnr-whole": 40.0, "fvvdp": 9.2}
    assert found["how"]["observers"] == 2 and len(found["commands"]) == 2
    with pytest.raises(SystemExit, match="plain, clip, crf 23: kbps is 100 here and 101 there"):
        merge.merged(file(1, **base), [file(1, kbps=101.0)])
    with pytest.raises(SystemExit, match="measured in another way"):
        merge.merged(file(1, **base), [{**file(1, kbps=100.0), "how": {"frames": 60, "observers": 1}}])


def test_blocks_hold_what_their_pixels_do(tool: ModuleType) -> None:
    """Of a plane, and of a band whose values are larger than blocks; at the rate of the guided encode, read between two."""
    blocks = script("jod_blocks")
    plane = np.arange(6 * 8, dtype=np.float64).reshape(6, 8)
    assert blocks.block_sums(plane, (3, 4))[1, 2] == plane[2:4, 4:6].sum()
    assert blocks.block_sums(np.array([[1.0, 3.0]]), (2, 4)).tolist() == [[0.25, 0.25, 0.75, 0.75]] * 2
    made = script("measure_jod").Encode
    plain, guided = tool.Setting("plain", "none"), tool.Setting("balanced", "neural")
    encodes = [
        made(plain, "23", Path("a"), {"kbps": 100.0}),
        made(plain, "33", Path("b"), {"kbps": 400.0}),
        made(guided, "28", Path("c"), {"kbps": 200.0}),
    ]
    # Two classes: blocks, differences, squared errors. In plain, half-way: 6 and 14 of 20; 3 and 7 of 10.
    sums = np.array([[[5, 8, 4], [5, 16, 8]], [[5, 4, 2], [5, 12, 6]], [[5, 4, 4], [5, 15, 7]]], np.float64)
    assert blocks.compared(encodes, sums) == pytest.approx(np.array([[50, 30, 30, -10, 10], [50, 70, 70, 5, 0]]))


def test_a_bent_map_bends_its_floor(data: Path) -> None:
    shape = script("shape_maps")
    with VideoReader(data / "videos" / "left.mkv") as reader:
        video = reader.info
    half = np.zeros((16, 24, 3), np.uint8)
    half[::2, 12:] = 200  # texture on the right
    clip = Clip(video, np.zeros(1), np.ones(1, bool), half[None])
    even = np.ones((1, 4, 6), np.float32)
    found = shape.bent(clip, even, "texture", -0.5, floor=0.9)
    assert found[0, :, :3].min() == 1 and found[0, :, 3:].max() < 0.3


def test_maps_that_ask_for_what_others_do(data: Path) -> None:
    rivals = script("rival_maps")
    with VideoReader(data / "videos" / "left.mkv") as reader:
        video = reader.info
    saliency = np.zeros((2, 16, 24), np.float32)
    saliency[0, 4, 6] = saliency[1, 10, 20] = 1
    box = -3 * np.log2(rivals.box(saliency, video))
    assert np.count_nonzero(box[1] == 0) == 16 * 24 / 4
    assert box[0, 8, 12] == 0 and box[0, 0, 0] == pytest.approx(5.1)
    peak = -3 * np.log2(rivals.peak(saliency, video))
    assert peak[0, 4, 6] == peak[1, 10, 20] == 0
    heights = 6 / 24 * SIZE[0] / SIZE[1]
    assert peak[0, 4, 12] == pytest.approx(5 * (1 - np.exp(-(heights**2) / (2 * (3 * np.tan(np.radians(2.5))) ** 2))))


def test_what_a_search_keeps() -> None:
    """Half the rate at the same searched quality; viewers who judge see 1 dB less at each rate than they saw in plain."""
    match = script("match_metrics")
    plain = {
        f"{crf}": {"kbps": 2.0 ** (12 - crf / 6), "psnr-attended": 60.0 - crf, "psnr-whole": 60.0 - crf}
        for crf in (24, 28, 32, 36)
    }
    guided = {crf: {**one, "psnr-attended": one["psnr-attended"] + 6} for crf, one in plain.items()}
    judged = {crf: {**one, "psnr-whole": one["psnr-whole"] - 1} for crf, one in plain.items()}
    found = match.matched(
        {"plain": plain, "balanced": guided}, {"plain": plain, "balanced": judged}, "attended-psnr", ["28"]
    )
    assert found["bytes"] == pytest.approx(-50) and found["psnr-whole"] == pytest.approx(-7)
    assert found["psnr-attended"] == pytest.approx(-6) and "fvvdp" not in found
