"""What a CRF for each shot buys in AV1 with plain blocks, against one CRF for all: BD-rates by four eyes.

    python tools/measure_av1_shots.py --data ../shared/data/video-gaze --out data/results/av1_shots.json [FILE ...]

A video joined from clips with recorded gaze, and files; both ways of encoding at four CRFs. "attended" is what the search
sees, "gaze" weights errors by where recorded viewers looked.
"""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure_match import JOINED_RATE, JOINED_SIZE, gaze_psnr_db, join_clips
from results import parser_for, save

import stcodec
from stcodec.evaluate.provenance import machine
from stcodec.media.decode import VideoReader
from stcodec.metrics.bd import bd_rate
from stcodec.metrics.fidelity import psnr_db, squared_error

_LENGTHS = dict.fromkeys(("Keiba", "Yan", "BasketballDrill", "Couple", "PartyScene", "Female"), 2.0)
_CRFS = (32, 38, 44, 50)


def joined_gaze(data: Path, folder: Path) -> Path:
    """The fixations of all viewers in the joined video, one clip after another."""
    out, begin_ms = folder / "gaze.csv", 0.0
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["observer", "start_ms", "duration_ms", "x_px", "y_px"])
        for name, seconds in _LENGTHS.items():
            with VideoReader(data / "videos" / f"{name}.avi") as reader:
                wide, high = reader.info.width_px, reader.info.height_px
            with (data / "fixations" / f"{name}.csv").open(newline="") as given:
                for row in csv.DictReader(given):
                    start = float(row["start_ms"])
                    length = min(float(row["duration_ms"]), 1000 * seconds - start)
                    if length > 0:
                        x, y = float(row["x_px"]) * JOINED_SIZE[0] / wide, float(row["y_px"]) * JOINED_SIZE[1] / high
                        writer.writerow(
                            [row["observer"], f"{begin_ms + start:.1f}", f"{length:.1f}", f"{x:.2f}", f"{y:.2f}"]
                        )
            begin_ms += round(seconds * JOINED_RATE) * 1000 / JOINED_RATE
    return out


def whole_psnr_db(source: Path, encoded: Path) -> float:
    """PSNR of the mean squared error of all frames."""
    with VideoReader(source) as one, VideoReader(encoded) as other:
        pairs = zip(one.frames(), other.frames(), strict=True)
        grays = ([np.asarray(frame.reformat(format="gray").to_ndarray(), np.uint8) for frame in pair] for pair in pairs)
        return psnr_db([float(squared_error(first, second).mean()) for first, second in grays])


def measure(source: Path, gaze: Path | None, folder: Path, coding: dict[str, Any]) -> dict[str, Any]:
    """Both ways at all CRFs, and what lies between them."""
    maps = folder / f"{source.stem}.maps.mkv"
    stcodec.maps(source, maps, overwrite=True)
    points: dict[str, list[dict[str, float]]] = {"one": [], "shots": []}
    steps = []
    for crf in _CRFS:
        one, shots = folder / "one.mkv", folder / "shots.mkv"
        goal = stcodec.MatchOptions(crf=crf, verify="full")
        policy = stcodec.OffsetPolicy(strength=0)
        report = stcodec.match(source, shots, goal, attention=f"map:{maps}", policy=policy, overwrite=True, **coding)
        plain = stcodec.encode(source, one, crf=crf, attention="none", overwrite=True, **coding)
        match = report.match
        assert match is not None
        steps.append([shot.shift_qp for shot in match.shots])
        for name, path, size, attended in (
            ("one", one, plain.video_bytes, match.wanted),
            ("shots", shots, report.video_bytes, match.reached),
        ):
            point = {"crf": crf, "bytes": size, "attended": attended, "psnr": whole_psnr_db(source, path)}
            if gaze is not None:
                point["gaze"] = gaze_psnr_db(source, gaze, path)
            points[name].append(point)
        print(json.dumps({way: found[-1] for way, found in points.items()}), steps[-1], flush=True)
    eyes = [eye for eye in ("attended", "gaze", "psnr") if eye in points["one"][0]]

    def curve(way: str, what: str) -> list[float]:
        return [point[what] for point in points[way]]

    rates = {
        eye: bd_rate(curve("one", "bytes"), curve("one", eye), curve("shots", "bytes"), curve("shots", eye)).value
        for eye in eyes
    }
    return {"video": source.name, "shots": len(steps[0]), "steps": steps, "points": points, "bd_rate_percent": rates}


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="other videos, without recorded gaze")
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/ and fixations/")
    parser.add_argument("--preset", default="10")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    coding, rows = {"encoder": "libsvtav1", "preset": given.preset}, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        joined = join_clips(given.data / "videos", folder, _LENGTHS)
        todo: list[tuple[Path, Path | None]] = [
            *((path, None) for path in given.files),
            (joined, joined_gaze(given.data, folder)),
        ]
        for source, gaze in todo:
            rows.append(measure(source, gaze, folder, coding))
            save(given.out, machine=machine(), **coding, rows=rows)


if __name__ == "__main__":
    main()
