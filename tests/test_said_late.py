"""What can't be right is said by its name: captions that begin late, and Matroska that is encrypted."""

from __future__ import annotations

from pathlib import Path

import command
import media
import pytest

import stcodec
from stcodec.media.side_data import side_data_kinds

CAPTIONS_FROM = 15
_CC_DATA = b"\xfc\x94\x2c" * 2  # one field's control code, "erase what is displayed", twice
_A53 = b"\xb5\x00\x31GA94\x03" + bytes([0x40 | 2]) + b"\xff" + _CC_DATA + b"\xff"
_SEI = b"\x00\x00\x00\x01\x06\x04" + bytes([len(_A53)]) + _A53 + b"\x80"
_DELIMITER = b"\x00\x00\x00\x01\x09"


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 frames of H.264 whose captions (ATSC A/53) begin with the sixteenth."""
    folder = tmp_path_factory.mktemp("captioned")
    raw, out = folder / "raw.h264", folder / "captioned.mkv"
    lines = "-f lavfi -i testsrc2=s=128x96:r=25:d=1.2 -c:v libx264 -x264-params aud=1:bframes=0 -preset ultrafast -f h264"
    media.run_ffmpeg(*lines.split(), raw)
    _, *units = raw.read_bytes().split(_DELIMITER)
    assert len(units) == 30
    for number in range(CAPTIONS_FROM, len(units)):
        # Behind the delimiter: its one byte of payload.
        units[number] = units[number][:1] + _SEI + units[number][1:]
    raw.write_bytes(b"".join(_DELIMITER + unit for unit in units))
    media.run_ffmpeg("-r", "25", "-i", raw, "-c", "copy", out)
    return out


@pytest.mark.parametrize(("encoder", "is_lost"), [("libx264", False), ("libx265", False), ("libvpx-vp9", True)])
def test_captions_that_begin_late(captioned: Path, tmp_path: Path, encoder: str, is_lost: bool) -> None:
    out = tmp_path / "out.mkv"
    report = stcodec.encode(captioned, out, encoder=encoder, attention="none")
    said = f"what it says in closed captions is lost: {encoder} can't carry it"
    assert [one for one in report.messages if "captions" in one] == ([said] if is_lost else [])
    with stcodec.VideoReader(out) as reader:
        carriers = [number for number, frame in enumerate(reader.frames()) if "A53_CC" in side_data_kinds(frame)]
    assert carriers == ([] if is_lost else list(range(CAPTIONS_FROM, 30)))


def element(identity: str, *parts: bytes) -> bytes:
    """An element of EBML, its size in eight bytes."""
    content = b"".join(parts)
    return bytes.fromhex(identity) + (1 << 56 | len(content)).to_bytes(8) + content


def test_encrypted_matroska_is_called_encrypted(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    encryption = element("5035", element("47e1", b"\x05"), element("47e2", b"0123456789abcdef"))
    encodings = element(
        "6d80", element("6240", element("5031", b"\0"), element("5032", b"\1"), element("5033", b"\1"), encryption)
    )
    video = element("e0", element("b0", b"\x40"), element("ba", b"\x30"))
    track = element(
        "ae", element("d7", b"\1"), element("73c5", b"\1"), element("83", b"\1"), element("86", b"V_VP9"), video, encodings
    )
    blocks = b"".join(element("a3", b"\x81", number.to_bytes(2), b"\x80", bytes(range(200))) for number in range(5))
    header = element("1a45dfa3", element("4282", b"matroska"), element("4287", b"\4"), element("4285", b"\2"))
    info = element("1549a966", element("2ad7b1", b"\x0f\x42\x40"), element("4d80", b"test"), element("5741", b"test"))
    segment = element("18538067", info, element("1654ae6b", track), element("1f43b675", element("e7", b"\0"), blocks))
    (tmp_path / "in.mkv").write_bytes(header + segment)
    for words in (["encode", "in.mkv", "out.mp4"], ["encode", "in.mkv", "out.mp4", "--keep-partial"], ["inspect", "in.mkv"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            command.assert_one_line(command.run(capfd, *words), 1, "in.mkv: .*encrypted")
        assert not list(tmp_path.glob("out*"))
