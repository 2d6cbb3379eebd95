"""The video that `inspect --video` writes: the map where it belongs, in time with the frames, with the sound."""

from __future__ import annotations

from pathlib import Path

import av
import media
import numpy as np
import pytest
from inspected import blob
from numpy.typing import NDArray
from PIL import Image

from stcodec.diagnose import InspectOptions, inspect

Rgb = NDArray[np.uint8]


def shown(path: Path) -> list[Rgb]:
    """The frames as a player shows them."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)) for frame in frames]


def make_video(source: Path, folder: Path, style: str = "overlay", x: float = 0.25, y: float = 0.15) -> list[Rgb]:
    """The video of a map with one hill, at a place in frame widths."""
    picture = Image.fromarray((255 * blob(x, y)).astype(np.uint8))
    turned = shown(source)[0].shape[0] > shown(source)[0].shape[1]
    (picture.resize((18, 32)) if turned else picture).save(folder / "map.png")
    inspect(source, InspectOptions(attention=f"map:{folder / 'map.png'}", video=folder / "video.mp4", style=style))
    return shown(folder / "video.mp4")


def yellow(picture: Rgb, x: float, y: float) -> float:
    """How much more red and green than blue there is about a place in shares of the frame."""
    row, col = round(y * picture.shape[0]), round(x * picture.shape[1])
    red, green, blue = picture[row - 3 : row + 4, col - 3 : col + 4].reshape(-1, 3).mean(axis=0)
    return float(min(red, green) - blue)


def test_sound_and_times_are_kept(rich_mp4: Path, tmp_path: Path) -> None:
    frames = make_video(rich_mp4, tmp_path)
    assert len(frames) == 50
    assert media.video_pts(tmp_path / "video.mp4") == media.video_pts(rich_mp4)
    for index in (0, 1):
        assert media.audio_packets(tmp_path / "video.mp4", index) == media.audio_packets(rich_mp4, index)


def test_the_map_glows_where_it_is(video: Path, tmp_path: Path) -> None:
    plain, drawn = shown(video), make_video(video, tmp_path)
    assert len(drawn) == len(plain)
    assert yellow(drawn[20], 0.25 + 0.035, 0.15 * 16 / 9) > yellow(plain[20], 0.25 + 0.035, 0.15 * 16 / 9) + 40
    assert abs(yellow(drawn[20], 0.7, 0.3) - yellow(plain[20], 0.7, 0.3)) < 40


def test_a_turned_video_stays_turned(rotated_mp4: Path, tmp_path: Path) -> None:
    plain, drawn = shown(rotated_mp4), make_video(rotated_mp4, tmp_path)
    assert drawn[0].shape == plain[0].shape == (320, 180, 3)
    gain = {(x, y): yellow(drawn[9], x, y) - yellow(plain[9], x, y) for x in (0.25, 0.75) for y in (0.25, 0.6)}
    assert max(gain, key=lambda place: gain[place]) == (0.25, 0.25)


@pytest.mark.parametrize(("style", "width"), [("contour", 320), ("side-by-side", 648)])
def test_other_styles(video: Path, tmp_path: Path, style: str, width: int) -> None:
    drawn, plain = make_video(video, tmp_path, style)[20], shown(video)[20]
    assert drawn.shape == (180, width, 3)
    away = np.abs(drawn[120:, :180].astype(int) - plain[120:, :180])  # neither lines nor, at the left, a map
    assert np.median(away) < 6
    assert np.abs(drawn[:, -320:].astype(int) - plain).max() > 100
