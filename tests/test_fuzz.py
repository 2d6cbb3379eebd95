"""Damaged files, each given to the command: one clear line or a whole result, in time, and nothing left behind."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from pathlib import Path

import av
import fuzzed
import media
import mutations
import pytest
import test_onnx
import viewers
from command import Outcome, Snapshot, snapshot
from mutations import BINARY, TEXT

SIZE, FRAMES = (96, 64), 12
ENCODE = ("encode", "VIDEO", "out.mkv", "-q", "--attention")
OF_VIDEOS = (
    ("encode", "FILE", "out.mkv", "-q", "--attention", "motion"),
    ("encode", "FILE", "out.mp4", "-q", "--attention", "none"),
    ("inspect", "FILE", "-q", "--attention", "motion", "--report", "out.html"),
    ("maps", "FILE", "out.mkv", "-q", "--attention", "motion"),
    ("stream", "FILE", "out.ts", "-q", "--attention", "center", "--no-pace"),
    ("batch", "FILE", "out", "-q", "--attention", "center", "--jobs", "1"),
    ("compare", "VIDEO", "FILE", "-q", "--metrics", "psnr"),
)
WAYS = {
    "mp4": OF_VIDEOS,
    "mkv": OF_VIDEOS,
    "ts": OF_VIDEOS,
    "map": ((*ENCODE, "map:FILE"), ("verify", "VIDEO", "--map", "FILE")),
    "mask": ((*ENCODE, "mask:FILE"),),
    "gaze": ((*ENCODE, "gaze:FILE"), ("evaluate", "VIDEO", "--gaze", "FILE", "--arms", "plain", "--crf", "30", "-q")),
    "onnx": ((*ENCODE, "onnx:FILE"),),
    "weights": (("FILE",),),
}
TEXTS = ("gaze",)
ALLOWED = {
    "encode": {0, 1, 2},
    "inspect": {0, 1, 2},
    "maps": {0, 1, 2},
    "stream": {0, 1, 2},
    "batch": {0, 1, 2, 3},
    "compare": {0, 1, 2, 3},
    "verify": {0, 1, 2},
    "evaluate": {0, 1, 2, 3},
    "FILE": {0, 1},
}
"""Exit statuses that docs/cli.md knows of, by command."""
SEEDS = 50
"""Inputs of a kind."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole file of each kind, and the video that they go with."""
    folder = tmp_path_factory.mktemp("whole")
    video = media.make_video(folder / "video.mkv", size=SIZE, frames=FRAMES)
    tones = ("-f", "lavfi", "-i", "sine=sample_rate=44100:duration=0.5")
    for ending in ("mp4", "ts"):
        media.run_ffmpeg("-i", video, *tones, "-c:v", "copy", "-c:a", "aac", folder / f"whole.{ending}")
    notes = folder / "notes.srt"
    notes.write_text("1\n00:00:00,100 --> 00:00:00,300\nOne\n")
    media.run_ffmpeg("-i", video, *tones, "-i", notes, "-c:v", "copy", "-metadata", "title=t", folder / "whole.mkv")
    for words in (("maps", "video.mkv", "whole.map", "--attention", "motion"),):
        (folder / "tmp").mkdir(exist_ok=True)
        made = fuzzed.run_forked(folder, fuzzed.command_line, words[0], words[1], "whole.map.mkv", *words[3:], "-q")
        assert made == Outcome(0, "", "")
    (folder / "whole.map.mkv").rename(folder / "whole.map")
    media.make_video(folder / "mask.mkv", size=SIZE, frames=FRAMES, pix_fmt="gray", codec="ffv1").rename(
        folder / "whole.mask"
    )
    viewers.make_gaze(folder / "whole.gaze", [(40, 40), (20, 30)], seconds=0.5)
    test_onnx.save_model(folder / "whole.onnx", test_onnx.mean_of_colours())
    return folder


def mutated(whole: Path, kind: str, seed: int) -> tuple[bytes, str]:
    """A damaged file of a kind, and what was done to it: once or twice."""
    rng = random.Random(f"{kind} {seed}")
    content = _content(whole, kind)
    chosen = [rng.choice(TEXT if kind in TEXTS else BINARY) for _ in range(rng.choice((1, 1, 2)))]
    for mutate in chosen:
        content = mutate(content, rng)
    return content, " and ".join(mutate.__name__ for mutate in chosen)


def _content(whole: Path, kind: str) -> bytes:
    if kind != "weights":
        return (whole / f"whole.{kind}").read_bytes()
    from stcodec.model.weights_file import WEIGHTS_PATH

    return WEIGHTS_PATH.read_bytes()


def endings(kind: str) -> str:
    """The ending of a damaged file's name."""
    return {"map": ".mkv", "mask": ".mkv", "gaze": ".csv", "weights": ".safetensors"}.get(kind, f".{kind}")


def try_one(whole: Path, folder: Path, kind: str, seed: int) -> str:
    """Give a damaged file to the command; what came of it, in a word or two."""
    content, damage = mutated(whole, kind, seed)
    way = WAYS[kind][seed % len(WAYS[kind])]
    for name in ("in", "tmp"):
        (folder / name).mkdir(parents=True)
    file = folder / "in" / f"x{endings(kind)}"
    file.write_bytes(content)
    shutil.copy(whole / "video.mkv", folder / "in" / "video.mkv")
    if kind == "weights":
        from stcodec.model.weights_file import WEIGHTS_PATH

        for one in WEIGHTS_PATH.parent.iterdir():
            if one != WEIGHTS_PATH:
                (folder / "in" / one.name).symlink_to(one)
    before = snapshot(folder / "in")
    words = [word.replace("FILE", f"in/{file.name}").replace("VIDEO", "in/video.mkv") for word in way]
    if way[0] == "evaluate":
        words += ["--report", "report"]
    do = fuzzed.weights if kind == "weights" else fuzzed.command_line
    story = f"{kind} {seed}: {damage}, {' '.join(words)}"
    try:
        outcome = fuzzed.run_forked(folder, do, *words)
        assert_handled(folder, before, way[0], outcome)
    except (AssertionError, TimeoutError, av.error.FFmpegError) as error:
        raise AssertionError(f"{story}: {error}") from error
    return "refused" if outcome.status else "used"


def assert_handled(folder: Path, before: Snapshot, command: str, outcome: Outcome) -> None:
    assert outcome.status in ALLOWED[command], outcome
    assert "Traceback" not in outcome.err + outcome.out, outcome
    assert snapshot(folder / "in") == before
    assert list((folder / "tmp").iterdir()) == []
    left = {path.name for path in folder.iterdir()} - {"in", "tmp"}
    if command in ("batch", "compare", "evaluate"):
        assert re.fullmatch(r"((stcodec|failed|note): [^\n]+\n)*", outcome.err), outcome
    elif outcome.status and not outcome.out.startswith("not-applied: "):  # what `verify` found out is no failure
        assert re.fullmatch(r"stcodec: [^\n]+\n", outcome.err), outcome
        assert left <= ({"out.ts"} if command == "stream" else set()), left
    else:
        assert outcome.err == "", outcome
        for name in left & {"out.mkv", "out.mp4"}:
            assert len(media.frames_of(folder / name)) > 0


def test_a_few_damaged_files(whole: Path, tmp_path: Path) -> None:
    for kind in set(WAYS) - {"weights"}:  # which take torch, and its import takes seconds
        try_one(whole, tmp_path / kind, kind, 0)


@pytest.mark.long
@pytest.mark.parametrize("kind", WAYS)
def test_many_damaged_files(whole: Path, tmp_path: Path, kind: str) -> None:
    """What is mishandled is said with its seed, all of it at the end."""
    seen, mishandled = Counter[str](), []
    for seed in range(SEEDS):
        try:
            seen[try_one(whole, tmp_path / str(seed), kind, seed)] += 1
        except AssertionError as error:
            mishandled.append(str(error))
    print(f"\n{kind}, {SEEDS} inputs: {dict(seen)}, {len(mishandled)} mishandled")
    assert mishandled == [], "\n".join(mishandled)
    assert seen["refused"] > 0


@pytest.mark.parametrize("kind", ["mp4", "gaze"])
def test_damage_is_the_same_for_the_same_seed(whole: Path, kind: str) -> None:
    for seed in range(20):
        assert mutated(whole, kind, seed) == mutated(whole, kind, seed)
    assert len({mutated(whole, kind, seed)[0] for seed in range(20)}) > 15
    assert mutations.truncate(b"whole", random.Random(1)) != b"whole"
