"""Recorded gaze as a source."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from clips import FIXED_SETTINGS, attend_in_pieces, make_clip, make_video, same
from hypothesis import given, strategies as st

from stcodec.attention.gaze import GazeSource
from stcodec.errors import AttentionError
from stcodec.types import FloatArray

DATA = Path(__file__).parents[2] / "shared" / "data"


# --- gaze:

HEADER = "observer,start_ms,duration_ms,x_px,y_px\n"


def write_gaze(path: Path, rows: Sequence[tuple[float, ...]], header: str = HEADER) -> Path:
    with path.open("w", newline="") as file:
        file.write(header)
        csv.writer(file).writerows(rows)
    return path


def peak(saliency: FloatArray, width: int = 320, height: int = 180) -> tuple[float, float]:
    """Where the largest value is, in px of the frame."""
    row, column = np.unravel_index(int(saliency.argmax()), saliency.shape)
    return (float(column) + 0.5) * width / saliency.shape[1], (float(row) + 0.5) * height / saliency.shape[0]


def test_gaze_lasts_from_start_to_end_and_the_last_density_stays(tmp_path: Path) -> None:
    rows: list[tuple[float, ...]] = [(1, 200, 300, 40, 40), (1, 1000, 500, 280, 140), (2, 1100, 100, 160, 90)]
    rows.append((3, 500, 0, 200, 150))  # of no duration: never seen
    source = GazeSource(write_gaze(tmp_path / "g.csv", rows))
    video = make_video(start=1.4)
    times = [0.0, 0.1999, 0.2, 0.4999, 0.5, 0.99, 1.0, 1.15, 1.2, 1.6, 3.9]
    found = source.attend(make_clip(video, [1.4 + one for one in times])).saliency
    assert np.all(found[:2] == 1)  # nobody has looked yet
    for index in (2, 3, 4, 5):
        assert peak(found[index]) == pytest.approx((40, 40), abs=1.5)
    for index in (6, 8, 9, 10):
        assert peak(found[index]) == pytest.approx((280, 140), abs=1.5)
    assert np.array_equal(found[5], found[2])
    assert np.array_equal(found[10], found[6])
    assert found[7][45, 80] == pytest.approx(1, abs=0.05)  # two at once
    assert found[6][45, 80] < 0.01
    assert found.max(axis=(1, 2)) == pytest.approx(np.ones(len(times)))
    assert source.spec.maps_per_second == 12.5


def test_sigma_is_three_percent_of_the_width(tmp_path: Path) -> None:
    video = make_video((1280, 720))
    source = GazeSource(write_gaze(tmp_path / "g.csv", [(1, 0, 5000, 644, 356)]))  # the centre of a cell of 8 px
    saliency = source.attend(make_clip(video, [0])).saliency[0]
    assert saliency.shape == (90, 160)
    sigma = 0.03 * 1280
    assert saliency[44, 90] == pytest.approx(np.exp(-0.5 * (80 / sigma) ** 2), rel=1e-4)
    assert saliency[34, 80] == pytest.approx(np.exp(-0.5 * (80 / sigma) ** 2), rel=1e-4)


def test_gaze_of_some_observers(tmp_path: Path) -> None:
    path = write_gaze(tmp_path / "g.csv", [(1, 0, 900, 40, 40), (2, 0, 900, 280, 140), (3, 0, 900, 160, 90)])
    clip = make_clip(make_video(), [0.5])
    assert peak(GazeSource(path, observers=[2]).attend(clip).saliency[0]) == pytest.approx((280, 140), abs=1.5)
    halves = [GazeSource(path, observers=half).attend(clip).saliency[0] for half in ((1, 2), iter([3]))]
    assert np.clip(halves[0] + halves[1], 0, 1) == pytest.approx(GazeSource(path).attend(clip).saliency[0], abs=1e-3)
    with pytest.raises(AttentionError, match=r"none of the observers \[7, 9\]; it has 1, 2, 3"):
        GazeSource(path, observers=[9, 7])


def test_gaze_outside_of_the_frame_is_left_out(tmp_path: Path) -> None:
    path = write_gaze(tmp_path / "g.csv", [(1, 0, 900, -5, 40), (2, 0, 900, 280, 140), (3, 0, 900, 100, 181)])
    alone = write_gaze(tmp_path / "h.csv", [(2, 0, 900, 280, 140)])
    clip = make_clip(make_video(), [0.5])
    assert np.array_equal(GazeSource(path).attend(clip).saliency, GazeSource(alone).attend(clip).saliency)


@given(st.sets(st.integers(1, 30)), st.integers(0, 5))
@FIXED_SETTINGS
def test_gaze_does_not_depend_on_the_cutting(tmp_path: Path, cuts: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.column_stack(
        [rng.integers(1, 4, 12), rng.integers(0, 3000, 12), rng.integers(0, 400, 12), rng.uniform(0, 180, (12, 2))]
    )
    source = GazeSource(write_gaze(tmp_path / "g.csv", [tuple(row) for row in rows.tolist()]))
    clip = make_clip(make_video(), np.sort(rng.uniform(0, 4, 31)).tolist(), shots=(0, 4))
    assert same(attend_in_pieces(source, clip, cuts), source.attend(clip))


@pytest.mark.parametrize("size", [(1, 1), (16, 8), (8, 4096), (4096, 8), (321, 179)])
def test_gaze_on_any_frame_size(tmp_path: Path, size: tuple[int, int]) -> None:
    source = GazeSource(write_gaze(tmp_path / "g.csv", [(1, 0, 900, size[0] / 2, size[1] / 2), (1, 0, 900, 0, 0)]))
    found = source.attend(make_clip(make_video(size), [0.1])).saliency
    assert found.max() == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the header lacks observer, start_ms, duration_ms, x_px, y_px; found: nothing"),
        (HEADER, "has no fixations"),
        (HEADER + "\n \n", "has no fixations"),
        ("observer;start_ms;x_px\n1;2;3\n", "line 1: the header lacks observer, .*found: observer;start_ms;x_px"),
        ("observer,start_ms,x_px,y_px\n1,2,3,4\n", "line 1: the header lacks duration_ms; found"),
        (HEADER + "1,0,100,5,5\n1,zero,100,5,5\n", "line 3: start_ms is 'zero': it must be a finite number"),
        (HEADER + "1,0,100,5,nan\n", "line 2: y_px is 'nan'"),
        (HEADER + "1,0,100,inf,5\n", "line 2: x_px is 'inf'"),
        (HEADER + "1,0,100\n", "line 2: x_px is ''"),
        (HEADER + "\n1,0,-1,5,5\n", "line 3: duration_ms is -1: it can't be negative"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe\x80", "not a CSV text file"),
        (HEADER.encode() + b"1,0,100,5,\x00\n", "(not a CSV text file|y_px is)"),
        (HEADER + "x" * 200_000 + ",0,100,5,5\n", "not a CSV text file"),
    ],
)
def test_unusable_gaze_files(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "g.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AttentionError, match=message) as caught:
        GazeSource(path)
    assert str(caught.value).startswith(f"gaze:{path}: ")


def test_gaze_files_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(AttentionError, match="No such file"):
        GazeSource(tmp_path / "missing.csv")
    with pytest.raises(AttentionError, match="can't be read"):
        GazeSource(tmp_path)


def test_gaze_for_another_video(tmp_path: Path) -> None:
    outside = GazeSource(write_gaze(tmp_path / "a.csv", [(1, 0, 900, 900, 40), (1, 950, 900, 1000, 700)]))
    with pytest.raises(AttentionError, match=r"2 of 2 fixations lie outside.*320x180.*x 900 to 1000.*another video"):
        outside.open(make_video())
    late = GazeSource(write_gaze(tmp_path / "b.csv", [(1, 5000, 900, 90, 40)]))
    with pytest.raises(AttentionError, match="first fixation begins at 5 s, the video ends at 4 s"):
        late.open(make_video())


def test_gaze_that_hardly_touches_the_video(tmp_path: Path) -> None:
    """Recorded in the pixels of a larger screen, or at other times: what is left would guide the encode by chance."""
    screen = [(1, 100 * number, 100, 700 + number, 500) for number in range(4)]
    with pytest.raises(AttentionError, match=r"4 of 5 fixations lie outside of the frame.*another size"):
        GazeSource(write_gaze(tmp_path / "a.csv", [*screen, (1, 400, 100, 90, 40)])).open(make_video())
    for rows in ([(1, 0, 0, 90, 40), (1, 500, 0, 90, 40)], [(1, -900, 800, 90, 40)]):
        with pytest.raises(AttentionError, match="every fixation lasts 0 ms, or ends before the video begins"):
            GazeSource(write_gaze(tmp_path / "b.csv", rows)).open(make_video())
    path = tmp_path / "c.csv"
    path.write_text(HEADER + "1,1e308,1e308,90,40\n")
    with pytest.raises(AttentionError, match=r"begins at 1e\+305 s"):
        GazeSource(path).open(make_video())


def test_gaze_files_from_spreadsheets(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_bytes('\ufeff Y_px, X_px,note,Observer,start_ms,duration_ms\r\n140,280,"a,b",1,0,900\r\n'.encode())
    found = GazeSource(path).attend(make_clip(make_video(), [0.5])).saliency[0]
    assert peak(found) == pytest.approx((280, 140), abs=1.5)


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_recorded_gaze() -> None:
    source = GazeSource(DATA / "video-gaze" / "fixations" / "BQSquare.csv")
    found = source.attend(make_clip(make_video((416, 240), 10.0), [index / 12.5 for index in range(120)]))
    assert np.all(found.saliency.max(axis=(1, 2)) == 1)
    assert 0.001 < found.saliency[20:].mean() < 0.3
