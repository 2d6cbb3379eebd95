"""A real stream as people and monitoring see it, by the command line."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import command
import pytest
from live_rigs import wait_until
from prometheus_client.parser import text_string_to_metric_families

Capture = pytest.CaptureFixture[str]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return bytes(answer.read())


def is_read_back(state: dict[str, Any]) -> bool:
    return state["renditions"][0]["mean_qp_attended"] is not None


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def states_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(one) for one in lines_of(path) if one.startswith("{") and one.endswith("}")]


def test_while_it_runs_all_can_be_seen(video: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    shown = ["--json", "--dashboard", "127.0.0.1:0"]
    guided = ["--attention", "center", "--policy", "strong", "--bitrate", "150k"]
    program = command.program("stream", video, "-", "--loop", *guided, *shown)
    with (
        said.open("wb") as errors,
        subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=errors, env=command.ENVIRONMENT) as process,
    ):
        wait_until(lambda: any(is_read_back(one) for one in states_of(said)), "a key frame is read back")
        url = next(one for one in lines_of(said) if "http://" in one).split()[-1]
        metrics, health, preview = (get(url + name) for name in ("metrics", "healthz", "preview.json"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 130
    assert health == b"healthy\n"
    assert json.loads(preview)["map"]["rows"] > 1
    families = {one.name: one for one in text_string_to_metric_families(metrics.decode())}
    rendition = next(one for one in states_of(said) if is_read_back(one))["renditions"][0]
    assert rendition["mean_qp_attended"] < rendition["mean_qp_elsewhere"] - 1
    assert rendition["offsets_slope"] == pytest.approx(1, abs=0.4)
    assert 0.2 < rendition["bits_attended"] < 0.9
    assert families["stcodec_stream_rendition_frames"].samples[0].value > 10
    assert families["stcodec_stream_target_bytes"].samples[0].labels["kind"] == "pipe"


def test_on_a_terminal_the_line_is_drawn_again(video: Path, tmp_path: Path) -> None:
    here, there = pty.openpty()
    program = command.program("stream", video, "out.ts", "--loop", "--duration", "2.5s", "--attention", "none")
    with subprocess.Popen(program, stderr=there, cwd=tmp_path, env=command.ENVIRONMENT) as process:
        os.close(there)
        said = b""
        try:
            while piece := os.read(here, 65536):
                said += piece
        except OSError:  # the other end is closed
            pass
    os.close(here)
    assert process.returncode == 0
    text = said.decode()
    assert text.count("\r\x1b[K0:00:0") >= 2
    assert text.splitlines()[-1].startswith("ended: 0:00:0")


def test_what_can_not_be_served_is_said_before_anything_starts(video: Path, tmp_path: Path, capfd: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        for words, reason in (
            (["--metrics", busy], "can't listen there"),
            (["--dashboard", "0.0.0.0:0"], "can be reached from other machines: give a token"),
            (["--metrics", "nowhere"], "is no address to listen on"),
            (["--metrics", "192.0.2.1:0", "--token-file", tmp_path / "none"], "the token can't be read"),
        ):
            given = ["stream", video, tmp_path / "out.ts", "--attention", "none", *words]
            command.assert_refused(capfd, tmp_path, 2, reason, *given)
