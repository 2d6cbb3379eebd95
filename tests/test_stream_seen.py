"""What people and monitoring see of a stream: the status line, JSON lines, metrics, health, and who may ask for them."""

from __future__ import annotations

import dataclasses
import http.client
import io
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from streaming import HD, HLS, RTMP, SNAPSHOT, FakeStream, picture

from stcodec.errors import OptionsError
from stcodec.stream.observe.listen import WebOptions, read_token
from stcodec.stream.observe.metrics import CONTENT_TYPE, health_problems, prometheus_text
from stcodec.stream.observe.snapshot import Pressure, StreamSnapshot
from stcodec.stream.observe.status import JsonLines, StatusLine, Watch, status_line
from stcodec.stream.observe.web import WebServer

TOKEN = "a-token-of-some-length"
HOSTILE = 'a"b\\c\nd}{,=#\udcff'

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


# --- the line -------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_says_all_that_matters() -> None:
    line = status_line(SNAPSHOT)
    assert line.startswith("0:12:34 | 30.0 fps | latency 84 ms | map 120 ms fresh | 720p 2483/2500 kbit/s buffer 63 %")
    assert line.endswith("| dropped 0")
    late = dataclasses.replace(
        SNAPSHOT,
        source_condition="stalled",
        map_condition="none",
        map_age_seconds=None,
        pressure=Pressure.FEWER_MAPS,
        targets=(HLS, dataclasses.replace(RTMP, condition="retrying")),
    )
    line = status_line(late)
    for part in ("source stalled", "no map", "pressure: fewer maps", "rtmp://server/app/*** retrying"):
        assert part in line


def test_on_a_terminal_it_is_drawn_in_place_and_changes_stay() -> None:
    file = Terminal()
    line = StatusLine(file)
    line.show(SNAPSHOT)
    line.show(dataclasses.replace(SNAPSHOT, source_condition="retrying", source_message="refused\x1b[2J"))
    drawn = file.getvalue().split("\r\x1b[K")
    assert [len(one) <= 80 and "\n" not in one for one in (drawn[1], drawn[3])] == [True, True]
    assert drawn[2] == "source rtsp://camera/one: retrying (refused\\x1b[2J)\n"
    line.close()
    assert file.getvalue().endswith("\n")


def test_off_a_terminal_it_is_a_line_now_and_then() -> None:
    file = io.StringIO()
    line = StatusLine(file)
    for _ in range(5):
        line.show(SNAPSHOT)
    line.show(dataclasses.replace(SNAPSHOT, pressure=Pressure.OLDER_MAPS, attention_restarts=1, timestamp_jumps=2))
    said = file.getvalue().splitlines()
    assert said[0] == status_line(SNAPSHOT)
    assert said[1:] == [
        "pressure: older maps (was: none)",
        "attention was begun anew (1 so far)",
        "the source's timestamps jumped (2 so far)",
    ]


def test_json_lines_are_json_whatever_the_numbers() -> None:
    file = io.StringIO()
    JsonLines(file).show(dataclasses.replace(SNAPSHOT, latency_seconds=math.nan, source="a\nb"))
    lines = file.getvalue().splitlines()
    assert len(lines) == 1
    said = json.loads(lines[0], parse_constant=pytest.fail)
    assert said["event"] == "status"
    assert said["latency_seconds"] is None
    assert said["pressure"] == "none"
    assert said["renditions"][0]["mean_qp_attended"] == 24.1
    assert set(said) == {"event"} | {one.name for one in dataclasses.fields(StreamSnapshot)}


def test_a_reader_that_goes_away_disturbs_nobody() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    kept: list[StreamSnapshot] = []
    with Watch(FakeStream(), [JsonLines(Gone()).show, kept.append], every_seconds=0.005):
        wait(lambda: len(kept) > 3)
    assert kept[-1] == SNAPSHOT


# --- metrics and health ---------------------------------------------------------------------------------------------


def samples_of(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_every_figure() -> None:
    text = prometheus_text(SNAPSHOT).decode()
    found = samples_of(text)
    hd, rtmp = (("index", "0"), ("rendition", "720p")), (("index", "1"), ("kind", "rtmp"), ("target", RTMP.name))
    assert found["stcodec_stream_latency_seconds", ()] == 0.084
    assert found["stcodec_stream_rendition_bits_per_second", hd] == 2_483_200
    assert found["stcodec_stream_rendition_bits_attended_ratio", hd] == 0.38
    assert found["stcodec_stream_target_bytes_total", rtmp] == 12_000_000
    assert found["stcodec_stream_target_condition", (("condition", "open"), *rtmp)] == 1
    assert found["stcodec_stream_target_condition", (("condition", "failed"), *rtmp)] == 0
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(family.documentation and family.type in ("gauge", "counter") for family in families.values())
    for name in [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE") and line.endswith("counter")]:
        assert name.endswith("_total")


def test_hostile_names_and_odd_numbers_stay_values() -> None:
    twice = dataclasses.replace(RTMP, name=HOSTILE)
    text = prometheus_text(
        dataclasses.replace(
            SNAPSHOT, latency_seconds=math.nan, map_age_seconds=None, fps_in=math.inf, targets=(twice, twice), renditions=()
        )
    ).decode()
    found = samples_of(text)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(found) == len(lines)  # no two samples of the same name and labels
    names = {dict(labels)["target"] for (name, labels) in found if name.startswith("stcodec_stream_target")}
    assert names == {HOSTILE.replace("\udcff", "\\udcff")}
    assert math.isnan(found["stcodec_stream_latency_seconds", ()])
    assert math.isinf(found["stcodec_stream_input_frames_per_second", ()])
    assert not any(name == "stcodec_stream_map_age_seconds" for name, _ in found)


def test_health_has_reasons() -> None:
    assert health_problems(SNAPSHOT) == []
    starting = dataclasses.replace(SNAPSHOT, running_seconds=2.0, source_condition="connecting", fps_in=0.0)
    assert health_problems(starting) == []
    assert health_problems(dataclasses.replace(starting, running_seconds=20.0)) == ["source is connecting"]
    bad = dataclasses.replace(
        SNAPSHOT,
        renditions=(dataclasses.replace(HD, fps=0.0),),
        targets=(dataclasses.replace(RTMP, condition="failed", message="refused"),),
    )
    assert health_problems(bad) == ["rendition 720p stands still", f"target {RTMP.name} is failed: refused"]


# --- over HTTP ------------------------------------------------------------------------------------------------------


@contextmanager
def serving(options: WebOptions, stream: FakeStream | None = None, seconds: float = 10.0) -> Iterator[tuple[str, int]]:
    with closing(WebServer(options, request_seconds=seconds)) as server:
        server.start(stream or FakeStream())
        parts = urlsplit(server.url)
        yield str(parts.hostname), int(parts.port or 0)


def get(place: tuple[str, int], path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    with closing(http.client.HTTPConnection(*place, timeout=120)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def say(place: tuple[str, int], data: bytes) -> bytes:
    """All that comes back for raw bytes, until the server closes the connection."""
    with closing(socket.create_connection(place, timeout=120)) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, int]]:
    with serving(WebOptions("127.0.0.1:0", dashboard=True)) as place:
        yield place


def test_metrics_and_health_over_http() -> None:
    stream = FakeStream()
    with serving(WebOptions("localhost:0"), stream) as place:
        status, headers, body = get(place, "/metrics")
        assert (status, headers["Content-Type"]) == (200, CONTENT_TYPE)
        assert samples_of(body)["stcodec_stream_healthy", ()] == 1
        assert get(place, "/healthz")[::2] == (200, "healthy\n")
        stream.change(source_condition="retrying", source_message="refused")
        assert get(place, "/healthz")[::2] == (503, "source is retrying: refused\n")
        assert get(place, "/")[0] == 404  # the dashboard was not asked for


def test_a_page_gets_the_state_since_what_it_has() -> None:
    with closing(WebServer(WebOptions("127.0.0.1:0", dashboard=True))) as server:
        server.start(FakeStream())
        for seconds in range(700):
            server.show(dataclasses.replace(SNAPSHOT, running_seconds=float(seconds)))
        here = ("127.0.0.1", int(urlsplit(server.url).port or 0))
        first = json.loads(get(here, "/state.json")[2])
        assert [first["first"], first["next"], first["moments"][0]["at"]] == [100, 700, 100.0]
        again = json.loads(get(here, "/state.json?since=698")[2])
        assert [one["at"] for one in again["moments"]] == [698.0, 699.0]
        for odd in ("-1", "9" * 40, "²", "x", "701"):
            assert len(json.loads(get(here, f"/state.json?since={quote(odd)}")[2])["moments"]) == 600


def test_foreign_names_are_refused(place: tuple[str, int]) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[", "localhost@evil.example"):
        assert get(place, "/state.json", Host=host)[0] == 421, host
    assert get(place, "/healthz", Host=f"localhost:{place[1]}")[0] == 200
    assert b" 421 " in say(place, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    assert b" 421 " in say(place, b"GET /healthz HTTP/1.0\r\n\r\n")


def test_nothing_is_offered_to_other_sites(place: tuple[str, int]) -> None:
    _, headers, _ = get(place, "/state.json", Origin="http://evil.example")
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Python" not in headers["Server"]


def test_hostile_requests_get_short_answers(place: tuple[str, int]) -> None:
    host = b"Host: localhost\r\n"
    for data, status in (
        (b"POST /metrics HTTP/1.1\r\n" + host + b"Content-Length: 9999999999\r\n\r\n", b" 501 "),
        (b"GET /../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n", b" 404 "),
        (b"GET http://evil.example/metrics HTTP/1.1\r\n" + host + b"\r\n", b" 200 "),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + host + b"\r\n", b" 414 "),
        (b"GET / HTTP/1.1\r\n" + host + b"A: b\r\n" * 200 + b"\r\n", b" 431 "),
        (b"GET http://[ HTTP/1.1\r\n" + host + b"\r\n", b" 400 "),
        (b"GET /state.json?" + b"since=1&" * 100 + b" HTTP/1.1\r\n" + host + b"\r\n", b" 400 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
        (b"GET / HTTP/9.9\r\n" + host + b"\r\n", b"Invalid HTTP version"),
    ):
        assert status in say(place, data)[:40], data[:40]
    assert say(place, b"HEAD /metrics HTTP/1.1\r\n" + host + b"\r\n").endswith(b"\r\n\r\n")
    assert get(place, "/healthz")[0] == 200


def test_many_and_slow_clients_leave_no_trace() -> None:
    with serving(WebOptions("127.0.0.1:0"), seconds=0.3) as place:
        before = threading.active_count()
        slow = [socket.create_connection(place, timeout=120) for _ in range(40)]
        for one in slow:
            one.sendall(b"GET /healthz HTTP/1.1\r\nA: ")
        for one in slow:  # each is closed by the server: those beyond the limit at once, the others when their time is up
            with suppress(ConnectionResetError):
                one.recv(100)
            one.close()
        wait(lambda: threading.active_count() <= before)
        assert get(place, "/healthz")[0] == 200


@pytest.mark.parametrize(
    "said", [b"", b"GET /healthz HTTP/1.1\r\nA: ", b"GET / HTTP/1.1\r\nAuthorization: Bearer no\r\n\r\n"]
)
def test_health_is_told_at_once_whoever_else_is_connected(said: bytes) -> None:
    """Nobody needs a token to be idle."""
    with serving(WebOptions("127.0.0.1:0", token=TOKEN)) as place, ExitStack() as stack:
        for _ in range(80):
            idle = stack.enter_context(socket.create_connection(place, timeout=120))
            with suppress(OSError):
                idle.sendall(said)
        begin = time.monotonic()
        assert get(place, "/healthz", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert time.monotonic() - begin < 4  # an idle connection is closed after 5 s


def test_other_addresses_need_a_token() -> None:
    with pytest.raises(OptionsError, match=r"0\.0\.0\.0:9100 can be reached from other machines: give a token"):
        WebOptions("0.0.0.0:9100")
    with pytest.raises(OptionsError, match="the token has 5 characters: 16 or more"):
        WebOptions("0.0.0.0:9100", token="short")
    with serving(WebOptions("0.0.0.0:0", dashboard=True, token=TOKEN)) as (_, port):
        place = ("127.0.0.1", port)
        for path in ("/", "/metrics", "/healthz", "/state.json", "/nothing"):
            status, headers, body = get(place, path)
            assert (status, headers["WWW-Authenticate"].split()[0]) == (401, "Basic"), body
        for wrong in (
            "Bearer",
            "Bearer x",
            f"Bearer {TOKEN}x",
            f"Other {TOKEN}",
            "Basic ###",
            "Basic dXNlcjp4",
            "Bearer \xff",
        ):
            assert get(place, "/metrics", Authorization=wrong)[0] == 401, wrong
        assert get(place, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert get(place, "/metrics", Host="stream.example", Authorization=f"bearer {TOKEN}")[0] == 200
        assert get(place, "/", Authorization="Basic dXNlcjphLXRva2VuLW9mLXNvbWUtbGVuZ3Ro")[0] == 200


def test_addresses_that_are_none() -> None:
    for address in (
        "",
        "9100",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:99999",
        "127.0.0.1:x",
        "me@127.0.0.1:1",
        "host:80",
        "::1:80",
    ):
        with pytest.raises(OptionsError, match="is no address to listen on: IP:PORT, as 127"):
            WebOptions(address)
    assert WebOptions("[::1]:80").place == ("::1", 80)


def test_a_busy_port_is_one_line() -> None:
    with (
        serving(WebOptions("127.0.0.1:0")) as (_, port),
        pytest.raises(OptionsError, match=f"127.0.0.1:{port}: can't listen there"),
    ):
        WebServer(WebOptions(f"127.0.0.1:{port}"))


def test_tokens_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "token") == TOKEN
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff" * 20)
    for name, why in (("none", "No such file"), ("empty", "no token"), ("bytes", "not ASCII")):
        with pytest.raises(OptionsError, match=why):
            read_token(tmp_path / name)


def test_previews_are_coded_once() -> None:
    stream = FakeStream()
    with serving(WebOptions("127.0.0.1:0", dashboard=True), stream) as here:
        first = get(here, "/preview.json")[2]
        assert json.loads(first)["picture"].startswith("data:image/webp;base64,")
        assert get(here, "/preview.json")[2] == first
        stream.shown = picture(0.5, with_map=False)
        assert json.loads(get(here, "/preview.json")[2])["map"] is None
        stream.shown = None
        assert get(here, "/preview.json")[2] == "null"
