"""Help, its examples, completion in shells, and man pages: all from one description of the command line."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import program, run

from stcodec.cli.command import parsers
from stcodec.cli.examples import EXAMPLES
from stcodec.options import POLICIES

ROOT = Path(__file__).parents[1]
Capture = pytest.CaptureFixture[str]


def test_without_words_it_helps(capfd: Capture) -> None:
    done = run(capfd)
    assert done.status == 0
    assert "stcodec encode in.mp4 " in done.out and "commands:" in done.out


def test_every_command_has_two_examples_that_parse(capfd: Capture) -> None:
    top, commands = parsers()
    assert EXAMPLES.keys() == commands.keys()
    for name, command in commands.items():
        assert len(EXAMPLES[name]) == 2
        for line in EXAMPLES[name]:
            words = shlex.split(line.split(" > ")[0])
            assert words[:2] == ["stcodec", name]
            top.parse_args(words[1:])
            assert f"\n  {line}\n" in command.format_help()


def test_what_a_policy_saves_and_costs_is_what_was_measured() -> None:
    """By attended PSNR, VMAF and PSNR, within a point; a policy stands for its floor, whatever the anchor."""
    measured = json.loads((ROOT / "data" / "results" / "front.json").read_text())
    text = " ".join(parsers()[1]["encode"].format_help().split())
    for name, policy in POLICIES.items():
        told = re.search(rf"\b{name}(?: \(default\))? (\S+) %, (\S+) %, (\S+) %, (\S+) %", text)
        assert told, text
        alike = [
            summary["bd_rate_percent"]
            for setting, summary in measured["summary"].items()
            if measured["settings"][setting]["source"] == "neural"
            and measured["settings"][setting]["encoder"] == "libx264"
            and measured["settings"][setting]["policy"].get("floor", 0.6) == policy.floor
            and measured["settings"][setting]["policy"].keys() <= {"floor", "anchor"}
        ]
        for metric, figure in zip(("psnr-attended", "fvvdp", "vmaf-whole", "psnr-whole"), told.groups(), strict=True):
            means = [rates[metric]["mean"] for rates in alike if metric in rates]
            assert any(abs(float(figure) - mean) <= 1 for mean in means), (name, metric)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "fish"):
        made = subprocess.run(program("completion", shell), capture_output=True, check=True)
        (folder / shell).write_bytes(made.stdout)
    return folder


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("stcodec enc", {"encode"}),
        ("stcodec encode --poli", {"--policy"}),
        ("stcodec encode --policy ", {"gentle", "balanced", "strong"}),
        ("stcodec encode vid", {"video.mp4"}),
        ("stcodec completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes(scripts: Path, tmp_path: Path, line: str, wanted: set[str]) -> None:
    """As bash does when Tab is pressed: the function that `complete` names is called with the words so far."""
    (tmp_path / "video.mp4").touch()
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    code = f"""
    source {scripts / "bash"}
    COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE={shlex.quote(line)}; COMP_POINT={len(line)}
    called=$(complete -p stcodec | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
    $called stcodec {shlex.quote(words[-1])} {shlex.quote(words[-2])}
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert wanted <= set(done.stdout.split()), done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_completes(scripts: Path) -> None:
    code = f"source {scripts / 'fish'}; complete -C 'stcodec encode --policy '"
    done = subprocess.run(["fish", "-c", code], capture_output=True, text=True, check=False)
    assert {"gentle", "balanced", "strong"} <= set(done.stdout.split()), done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_takes_the_script(scripts: Path) -> None:
    assert "#compdef stcodec" in (scripts / "zsh").read_text()
    subprocess.run(["zsh", "-n", scripts / "zsh"], check=True)


def test_man_pages_say_what_help_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "make_man.py", tmp_path], check=True)
    _, commands = parsers()
    assert {one.name for one in tmp_path.iterdir()} == {"stcodec.1", *(f"stcodec-{name}.1" for name in commands)}
    page = (tmp_path / "stcodec-encode.1").read_text().replace("\\-", "-")
    for action in commands["encode"]._actions:
        for option in action.option_strings:
            assert option in page or option in ("-h", "--help")
    assert re.search(r"\.SH NAME", page)
    assert EXAMPLES["encode"][0] in page


def test_encode_without_out_makes_a_name_and_says_it(capfd: Capture, video: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(video.read_bytes())
    (tmp_path / "in-stcodec.mp4").write_text("precious")
    done = run(capfd, "encode", source, "--attention", "center", "--preset", "ultrafast")
    assert done.status == 0, done.err
    assert f"no OUT is given: {tmp_path / 'in-stcodec-2.mp4'}" in done.err
    assert (tmp_path / "in-stcodec.mp4").read_text() == "precious"
    assert (tmp_path / "in-stcodec-2.mp4").stat().st_size > 1000


def test_out_may_stand_behind_options(capfd: Capture, video: Path, tmp_path: Path) -> None:
    done = run(capfd, "encode", video, "--crf", "40", "--preset", "ultrafast", "--attention", "center", tmp_path / "out.mkv")
    assert done.status == 0, done.err
    assert [one.name for one in tmp_path.iterdir()] == ["out.mkv"]
