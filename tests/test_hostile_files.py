"""Files that ask for more than one should give: other files' content, memory, time. Every command opens them alike."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import command
import media
import pytest

from stcodec.media.limits import ENVIRONMENT, Limits, limits, set_limits
from stcodec.media.sniff import holds_video

OPENERS = {
    "encode": ("encode", "FILE", "OUT.mkv", "--attention", "center"),
    "match": ("encode", "FILE", "OUT.mkv", "--attention", "center", "--match-crf", "30"),
    "map": ("encode", "VIDEO", "OUT.mkv", "--attention", "map:FILE"),
    "mask": ("encode", "VIDEO", "OUT.mkv", "--attention", "mask:FILE"),
    "batch": ("batch", "FILE", "OUT", "--attention", "center"),
    "maps": ("maps", "FILE", "OUT.mkv", "--attention", "center"),
    "inspect": ("inspect", "FILE", "--attention", "center", "--report", "OUT.html"),
    "compare": ("compare", "VIDEO", "FILE"),
    "reference": ("compare", "FILE", "VIDEO"),
    "evaluate": ("evaluate", "FILE", "--weights", "mask:VIDEO", "--report", "OUT"),
    "verify": ("verify", "FILE", "--map", "VIDEO"),
    "stream": ("stream", "FILE", "OUT.ts", "--attention", "none", "--no-pace"),
}


@pytest.fixture(autouse=True)
def own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "")


def opened(
    capfd: pytest.CaptureFixture[str], way: str, file: Path, video: Path, folder: Path, *more: str
) -> command.Outcome:
    folder.mkdir(exist_ok=True)
    places = {"FILE": file, "VIDEO": video, "OUT": folder / "out"}
    words = [re.sub("FILE|VIDEO|OUT", lambda found: str(places[found[0]]), word) for word in OPENERS[way]]
    return command.run(capfd, *words, *more)


@pytest.fixture(scope="module")
def bombs(videos: Path, video: Path) -> dict[str, Path]:
    """Files of some kB that ask for much."""
    folder = videos / "bombs"
    folder.mkdir()
    chapters = [";FFMETADATA1"]
    for number in range(2500):
        chapters += ["[CHAPTER]", "TIMEBASE=1/1000000", f"START={10 * number}", f"END={10 * number + 9}"]
    (folder / "chapters.txt").write_text("\n".join(chapters))
    media.run_ffmpeg("-i", video, "-i", folder / "chapters.txt", "-map_chapters", "1", "-c", "copy", folder / "chapters.mkv")
    huge = ("-f", "lavfi", "-i", "color=gray:s=12288x6144:r=5:d=0.4")
    media.run_ffmpeg(
        *huge, "-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-pix_fmt", "yuv420p", folder / "huge.mp4"
    )
    media.run_ffmpeg("-i", folder / "huge.mp4", "-c", "copy", folder / "huge.ts")
    media.run_ffmpeg("-i", video, *(("-map", "0:v") * 201), "-c", "copy", folder / "streams.mkv")
    fast = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=50000:d=0.001")
    media.run_ffmpeg(*fast, "-c:v", "libx264", folder / "fast.mkv")
    return {one.name: one for one in folder.iterdir()}


@pytest.fixture(scope="module")
def playlists(videos: Path, video: Path) -> dict[str, Path]:
    """Texts that name other files, under names of videos."""
    folder = videos / "playlists"
    folder.mkdir()
    media.run_ffmpeg("-i", video, "-c", "copy", "-f", "hls", "-hls_time", "1", folder / "all.m3u8")
    texts = {
        "concat.mp4": f"ffconcat version 1.0\nfile '{video}'\n",
        "self.mp4": "ffconcat version 1.0\nfile self.mp4\n",
        "list.mkv": (folder / "all.m3u8").read_text(),
        "live.mp4": (folder / "all.m3u8").read_text().replace("#EXT-X-ENDLIST", ""),
        "round.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nround.m3u8\n",
        "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {name: folder / name for name in texts}


@pytest.mark.parametrize("way", OPENERS)
def test_no_command_opens_a_file_that_names_others(
    capfd: pytest.CaptureFixture[str], playlists: dict[str, Path], video: Path, tmp_path: Path, way: str
) -> None:
    done = opened(capfd, way, playlists["concat.mp4"], video, tmp_path)
    assert done.status in (1, 2, 3), done
    assert "names other files (concat): --allow-playlists opens them" in done.err + done.out
    assert not list(tmp_path.rglob("*.mkv")) and not list(tmp_path.rglob("*.ts"))


@pytest.mark.parametrize("name", ["self.mp4", "list.mkv", "live.mp4", "round.m3u8", "session.mp4"])
def test_nothing_that_names_others_is_opened_under_any_name(
    capfd: pytest.CaptureFixture[str], playlists: dict[str, Path], tmp_path: Path, name: str
) -> None:
    done = opened(capfd, "encode", playlists[name], playlists[name], tmp_path)
    words = "not a media file" if name == "session.mp4" else "names other files"
    command.assert_one_line(done, 1, words)


@pytest.mark.parametrize("name", ["concat.mp4", "list.mkv"])
def test_playlists_are_opened_for_who_says_so(
    capfd: pytest.CaptureFixture[str], playlists: dict[str, Path], tmp_path: Path, name: str
) -> None:
    done = opened(capfd, "encode", playlists[name], playlists[name], tmp_path, "--allow-playlists", "--no-verify")
    assert done.status == 0 and len(media.frames_of(tmp_path / "out.mkv")) == 30


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("self.mp4", "is a playlist that names another playlist, .*self.mp4"),
        ("round.m3u8", "is a playlist that names another playlist"),
        ("live.mp4", "is a live playlist, which has no end"),
    ],
)
def test_playlists_go_neither_in_circles_nor_on_for_ever(
    capfd: pytest.CaptureFixture[str], playlists: dict[str, Path], tmp_path: Path, name: str, words: str
) -> None:
    done = opened(capfd, "encode", playlists[name], playlists[name], tmp_path, "--allow-playlists")
    command.assert_one_line(done, 1, words)


def test_a_batch_walks_into_no_playlist(playlists: dict[str, Path], video: Path) -> None:
    set_limits(Limits(allow_playlists=True))
    assert holds_video(video, 0, 0)
    assert not any(holds_video(path, 1, 1) for path in playlists.values())


def test_a_playlist_that_comes_by_a_pipe_opens_no_file(playlists: dict[str, Path], tmp_path: Path) -> None:
    words = ("stream", "-", tmp_path / "out.ts", "--attention", "none", "--no-pace", "-q")
    with playlists["concat.mp4"].open("rb") as content:
        done = subprocess.run(command.program(*words), stdin=content, capture_output=True, timeout=120, check=False)
    assert done.returncode == 1 and b"can't be opened" in done.stderr and not (tmp_path / "out.ts").exists()


ASKED = {
    "huge.mp4": r"has frames of 12288x6144 px: at most 35389440 px are allowed; --max-pixels 12288x6144 allows more",
    "huge.ts": "has frames of 12288x6144 px",
    "chapters.mkv": "has 2500 chapters: at most 2000 are allowed; --max-chapters allows more",
    "streams.mkv": "has 201 streams: at most 200 are allowed; --max-streams allows more",
    "fast.mkv": "has [0-9]+ frames a second: at most 1000 are allowed; --max-fps allows more",
}


@pytest.mark.parametrize("name", ASKED)
def test_what_a_header_asks_for_is_limited(
    capfd: pytest.CaptureFixture[str], bombs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    done = opened(capfd, "encode", bombs[name], bombs[name], tmp_path)
    command.assert_one_line(done, 1, ASKED[name])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", OPENERS)
def test_every_command_keeps_to_the_limits(
    capfd: pytest.CaptureFixture[str], bombs: dict[str, Path], video: Path, tmp_path: Path, way: str
) -> None:
    done = opened(capfd, way, bombs["huge.mp4"], video, tmp_path)
    assert done.status in (1, 2, 3) and "has frames of 12288x6144 px" in done.err + done.out


@pytest.mark.parametrize("name", ["huge.mp4", "huge.ts"])
def test_it_is_refused_before_memory_is_taken(bombs: dict[str, Path], name: str) -> None:
    script = (
        "import resource, sys\nfrom stcodec.errors import MediaError\nfrom stcodec.media.open_input import open_input\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = most()\n"
        "try: open_input(sys.argv[1])\nexcept MediaError: pass\nprint(most() - before)\n"
    )
    words = [*command.program()[:1], "-c", script, str(bombs[name])]
    done = subprocess.run(words, capture_output=True, text=True, env=command.ENVIRONMENT, check=True)
    assert int(done.stdout) < 60_000  # kB; one frame has 110,000


def test_limits_reach_workers_through_the_environment(
    capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path
) -> None:
    done = opened(capfd, "batch", video, video, tmp_path, "--max-pixels", "100x100", "--jobs", "2")
    assert done.status == 3 and "has frames of 320x180 px" in done.err + done.out
    assert limits() == Limits(max_pixels=10_000)


def test_ctrl_c_answers_while_huge_frames_are_decoded(bombs: dict[str, Path], tmp_path: Path) -> None:
    words = ("encode", bombs["huge.mp4"], tmp_path / "out.mkv", "--attention", "center", "--max-pixels", "12288x6144")
    with subprocess.Popen(command.program(*words), stderr=subprocess.DEVNULL) as running:
        status = Path(f"/proc/{running.pid}/status")
        while int(status.read_text().partition("VmRSS:")[2].split()[0]) < 350_000:  # it decodes
            assert running.poll() is None
            time.sleep(0.02)
        begin = time.monotonic()
        running.send_signal(signal.SIGINT)
        assert running.wait(120) == 130
    assert time.monotonic() - begin < 5  # a second, and what a crowded machine adds
    assert not list(tmp_path.iterdir())


def test_a_plan_shows_no_raw_escapes(capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path) -> None:
    path = tmp_path / "m\x1b[31m\x9b\u202e.mkv"
    path.write_bytes(video.read_bytes())
    done = command.run(capfd, "encode", video, tmp_path / "out.mkv", "--dry-run", "--attention", f"map:{path}")
    assert done.status == 0 and "m\\x1b[31m\\x9b\\u202e.mkv" in done.out and done.out.replace("\n", "").isprintable()
