"""What other encoders' files did with a map: encoded by PyAV alone, without stcodec's sessions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from stcodec import roi
from stcodec.cli import main
from stcodec.errors import AttentionError, OptionsError
from stcodec.media.maps import read_maps
from stcodec.options import OffsetPolicy
from stcodec.pipeline.verify import verify
from stcodec.qp import QpLaw

EXAMPLE = Path(__file__).parents[1] / "examples" / "verify_other.py"
POLICY = OffsetPolicy(floor=0.15)
"""Offsets that stand out from the encoder's own."""
OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "26", "preset": "veryfast"},
    "libx265": {"crf": "28", "preset": "veryfast", "x265-params": "log-level=none:qg-size=16"},
    "libvpx-vp9": {"crf": "32", "deadline": "realtime", "cpu-used": "7", "aq-mode": "0"},
}


@pytest.fixture(scope="module")
def spot(videos: Path) -> Path:
    """A map with one soft spot, a third of the way from the left."""
    rows, cols = np.mgrid[:34, :80] + 0.5
    distance = ((cols / 80 - 0.3) ** 2 + ((rows / 34 - 0.4) * 272 / 640) ** 2) / (2 * 0.12**2)
    cv2.imwrite(str(videos / "other-spot.png"), np.rint(255 * np.exp(-distance)))
    return videos / "other-spot.png"


@pytest.fixture(scope="module")
def elsewhere(spot: Path) -> Path:
    """The same spot on the other side."""
    path = spot.with_name("elsewhere.png")
    cv2.imwrite(str(path), np.rot90(np.asarray(cv2.imread(str(spot))), 2))
    return path


def encode(source: Path, target: Path, encoder: str, spot: Path | None, options: Mapping[str, str] | None = None) -> Path:
    saliency = None if spot is None else next(read_maps(spot))[1]
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        video = container.streams.video[0]
        stream = output.add_stream(encoder, rate=video.average_rate, options=dict(options or OPTIONS[encoder]))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for frame in container.decode(video):
            if saliency is not None:
                grid = roi.block_grid(frame, encoder=encoder)
                roi.attach(frame, QpLaw(grid, POLICY)(saliency), encoder=encoder)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target


@pytest.mark.parametrize("with_plain", [False, True])
@pytest.mark.parametrize("encoder", ["libx264", "libvpx-vp9"])
def test_qp_follows_the_map_and_not_another(
    ride: Path, tmp_path: Path, spot: Path, elsewhere: Path, encoder: str, with_plain: bool
) -> None:
    guided = encode(ride, tmp_path / "guided.mkv", encoder, spot)
    plain = encode(ride, tmp_path / "plain.mkv", encoder, None)
    other = plain if with_plain else None
    found = verify(guided, maps=spot, plain=other, policy=POLICY)
    assert (found.method, found.verdict) == ("bitstream", "applied"), found
    assert found.slope == pytest.approx(1, abs=0.3)
    assert found.blocks == 40 * 17 * (4 if encoder == "libvpx-vp9" else 1) * found.frames
    wrong = verify(guided, maps=elsewhere, plain=other, policy=POLICY)
    assert wrong.verdict != "applied"
    assert wrong.slope is not None and found.slope is not None and wrong.slope < found.slope / 2
    assert verify(plain, maps=spot, plain=other, policy=POLICY).verdict != "applied"


def test_a_plain_encode_takes_the_encoders_own_qp_out(ride: Path, tmp_path: Path, spot: Path) -> None:
    guided = encode(ride, tmp_path / "guided.mp4", "libx264", spot)
    plain = encode(ride, tmp_path / "plain.mp4", "libx264", None)
    alone, compared = (verify(guided, maps=spot, plain=one, policy=POLICY).correlation for one in (None, plain))
    assert alone is not None and compared is not None and compared > alone


def test_where_no_decoder_tells_qp_the_effect_is_measured(ride: Path, tmp_path: Path, spot: Path) -> None:
    guided = encode(ride, tmp_path / "guided.mkv", "libx265", spot)
    plain = encode(ride, tmp_path / "plain.mkv", "libx265", None)
    found = verify(guided, maps=spot, plain=plain, reference=ride, policy=POLICY)
    assert (found.method, found.verdict) == ("effect", "applied"), found
    assert verify(plain, maps=spot, plain=plain, reference=ride, policy=POLICY).verdict == "not-applied"
    with pytest.raises(OptionsError, match="no decoder tells the QP of hevc: give the plain encode and the reference too"):
        verify(guided, maps=spot, plain=plain)


def test_the_command_says_it_and_fails_where_offsets_were_lost(
    ride: Path, tmp_path: Path, spot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guided = encode(ride, tmp_path / "guided.mp4", "libx264", spot)
    lost = encode(ride, tmp_path / "lost.mp4", "libx264", spot, {"qp": "28"})
    flags = ["--map", str(spot), "--floor", "0.15"]
    assert main(["verify", str(guided), *flags, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["verdict"], told["method"]) == ("verdict", "applied", "bitstream")
    assert main(["verify", str(lost), *flags]) == 1
    assert capsys.readouterr().out.startswith("not-applied: ")
    assert main(["verify", str(guided), "--map", str(tmp_path / "none.png")]) == 1
    assert "none.png" in capsys.readouterr().err


def test_maps_of_another_video_are_refused(ride: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "square.png"), np.full((64, 64), 255, np.uint8))
    with pytest.raises(AttentionError, match="the shapes differ by more than 5 %"):
        verify(ride, maps=tmp_path / "square.png")


def test_the_example_says_applied(ride: Path, tmp_path: Path, spot: Path) -> None:
    command = [sys.executable, *map(str, (EXAMPLE, ride, spot, tmp_path / "out.mp4"))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("applied: ")
