"""What is kept of tags and of the picture's own data, and what can't be right is said by its name."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import boxes
import pytest
from command import run
from media import ffmpeg_says, run_ffmpeg

import stcodec
from stcodec.errors import MediaError
from stcodec.media.side_data import side_data
from stcodec.media.tags import says_where
from stcodec.media.truncation import has_index_first

PLAIN = stcodec.EncodeOptions(attention="none", preset="ultrafast")
KEY = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb"]
KEYS = {
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.creationdate": "2024-05-01T10:11:12+0200",
    "com.apple.quicktime.location.ISO6709": "+48.2082+016.3738+151.000/",
    "COLLECTION": "abc",
    "title": "A walk",
}


@pytest.fixture(scope="module")
def tagged(videos: Path, video: Path) -> Path:
    source = videos / "tagged.mov"
    words = [word for key, value in KEYS.items() for word in ("-metadata", f"{key}={value}")]
    run_ffmpeg("-i", video, "-c", "copy", "-movflags", "use_metadata_tags", *words, source)
    return source


@pytest.mark.parametrize("ending", [".mov", ".mp4", ".mkv"])
def test_free_tags_are_kept(tagged: Path, tmp_path: Path, ending: str) -> None:
    stcodec.encode(tagged, tmp_path / f"out{ending}", options=PLAIN)
    said = ffmpeg_says(tmp_path / f"out{ending}").lower()
    for key, value in KEYS.items():
        assert key.lower() in said
        assert value.lower() in said


@pytest.mark.parametrize("words", [[], ["--no-faststart"], ["--faststart"], ["--fragmented"]])
@pytest.mark.parametrize(
    ("ending", "places"), [(".mp4", (b"\xa9nam", b"\xa9wrt", b"mdir")), (".mov", (b"\xa9nam", b"\xa9mak"))]
)
def test_usual_tags_stay_in_their_places_beside_free_ones(
    video: Path, tmp_path: Path, ending: str, places: tuple[bytes, ...], words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Programs that read iTunes' list or QuickTime's user data find the title there, whatever other tags there are."""
    tags = {
        "title": "A walk",
        "composer": "C",
        "make": "Apple",
        "IMDB": "tt1",
        "COM.APPLE.QUICKTIME.SOFTWARE": "17",
        "Ü": "ß",
    }
    source, out = tmp_path / "source.mkv", tmp_path / f"out{ending}"
    given = [word for key, value in {**tags, "season_number": "two"}.items() for word in ("-metadata", f"{key}={value}")]
    run_ffmpeg("-i", video, "-c", "copy", *given, source)
    assert run(capfd, "encode", source, out, "--attention", "none", "--preset", "ultrafast", *words).status == 0
    with av.open(str(out)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
        assert "com.apple.quicktime.software" in container.metadata  # as Apple spells it
        assert len(list(container.decode(video=0))) == 30
    assert {key.lower(): value for key, value in tags.items()}.items() <= found.items()
    assert found["season_number"] == "two"
    content = out.read_bytes()
    assert all(place in content for place in places) and b"place of keys" not in content
    said = ffmpeg_says(out)
    assert "A walk" in said and "tt1" in said


def test_free_tags_beside_a_cover(video: Path, tmp_path: Path) -> None:
    run_ffmpeg("-i", video, "-frames:v", "1", "-update", "1", tmp_path / "cover.jpg")
    of_cover = ["-metadata:s:1", "mimetype=image/jpeg", "-metadata:s:1", "filename=cover.jpg"]
    words = ["-c", "copy", "-metadata", "IMDB=tt1", *of_cover]
    run_ffmpeg("-i", video, "-attach", tmp_path / "cover.jpg", *words, tmp_path / "source.mkv")
    report = stcodec.encode(tmp_path / "source.mkv", tmp_path / "out.mp4", options=PLAIN)
    said = ffmpeg_says(tmp_path / "out.mp4")
    assert "tt1" in said and "attached pic" in said
    assert not [one for one in report.messages if "tags" in one]


@pytest.mark.parametrize("ending", [".mov", ".mp4", ".mkv"])
def test_places_are_left_out_when_it_is_asked_for(
    tagged: Path, tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--attention", "none", "--preset", "ultrafast", "--strip-location"]
    assert run(capfd, "encode", tagged, tmp_path / f"out{ending}", *words).status == 0
    assert b"48.2082" not in (tmp_path / f"out{ending}").read_bytes()
    assert "COLLECTION" in ffmpeg_says(tmp_path / f"out{ending}")


def test_names_of_places() -> None:
    for key in ("location", "location-eng", "LOCATION", "com.apple.quicktime.location.ISO6709", "©xyz", "xyz", "loci"):
        assert says_where(key), key
    for key in ("GPSLatitude", "GPS_LONGITUDE", "RECORDING_LOCATION", "latitude", "geotag", "com.android.location"):
        assert says_where(key), key
    for key in ("title", "com.apple.quicktime.make", "COLLECTION", "creation_time", "allocation", "relocated", "comment"):
        assert not says_where(key), key


@pytest.mark.parametrize("at_front", [True, False])
def test_the_index_stays_where_it_was(video: Path, tmp_path: Path, at_front: bool) -> None:
    source = tmp_path / "source.mp4"
    run_ffmpeg("-i", video, "-c", "copy", "-movflags", "+faststart" if at_front else "0", source)
    assert has_index_first(source) is at_front
    for faststart, found in ((None, at_front), (True, True), (False, False)):
        stcodec.encode(source, tmp_path / "out.mp4", options=PLAIN, faststart=faststart, overwrite=True)
        assert has_index_first(tmp_path / "out.mp4") is found
    assert has_index_first(video) is (None if video.suffix == ".mkv" else has_index_first(video))


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_hevc_is_tagged_for_apples_players(video: Path, tmp_path: Path, ending: str) -> None:
    stcodec.encode(video, tmp_path / f"out{ending}", options=PLAIN, encoder="libx265")
    with av.open(str(tmp_path / f"out{ending}")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
        assert len(list(container.decode(video=0))) == 30


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "ending"),
    [
        ("prores_ks", "yuva444p10le", ".mov"),
        ("qtrle", "argb", ".mov"),
        ("libvpx-vp9", "yuva420p", ".webm"),
        ("ffv1", "bgra", ".mkv"),
    ],
)
def test_lost_transparency_is_said(video: Path, tmp_path: Path, codec: str, pix_fmt: str, ending: str) -> None:
    source = tmp_path / f"source{ending}"
    hole = f"format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='if(lt(X,99),255,0)',format={pix_fmt}"
    run_ffmpeg("-i", video, "-frames:v", "5", "-vf", hole, "-c:v", codec, "-pix_fmt", pix_fmt, source)
    report = stcodec.encode(source, tmp_path / "out.mkv", options=PLAIN)
    assert [message for message in report.messages if "transparency is lost" in message]
    assert "alpha_mode" not in ffmpeg_says(tmp_path / "out.mkv").lower()


def test_what_is_opaque_is_not_said_to_be_transparent(video: Path, tmp_path: Path) -> None:
    run_ffmpeg("-i", video, "-frames:v", "5", tmp_path / "source.gif")
    report = stcodec.encode(tmp_path / "source.gif", tmp_path / "out.mp4", options=PLAIN)
    assert not [message for message in report.messages if "transparency" in message]


@pytest.mark.parametrize("keep_partial", [True, False])
def test_encrypted_media_are_called_so(video: Path, tmp_path: Path, keep_partial: bool) -> None:
    source = tmp_path / "source.mp4"
    run_ffmpeg("-i", video, "-c", "copy", *KEY, "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8", source)
    with pytest.raises(MediaError, match="is encrypted"):
        stcodec.encode(source, tmp_path / "out.mp4", options=PLAIN, keep_partial=keep_partial)
    assert not (tmp_path / "out.mp4").exists()


def test_an_animated_webp_is_not_called_damaged(video: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.webp"
    run_ffmpeg("-i", video, "-frames:v", "5", "-c:v", "libwebp_anim", source)
    with pytest.raises(MediaError, match="animated WebP, which is not supported by the ffmpeg here"):
        stcodec.encode(source, tmp_path / "out.mp4", options=PLAIN, keep_partial=True)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
def test_stereo_3d_is_kept_or_said(video: Path, tmp_path: Path, encoder: str) -> None:
    source = tmp_path / "source.mkv"
    run_ffmpeg("-i", video, "-c:v", "libx264", "-x264-params", "frame-packing=3", source)
    report = stcodec.encode(source, tmp_path / "out.mp4", encoder=encoder, attention="none")
    with av.open(str(tmp_path / "out.mp4")) as container:
        is_kept = side_data(next(container.decode(video=0)), "STEREO3D") is not None
    assert is_kept != any("stereo 3D is lost" in message for message in report.messages)


@pytest.fixture(scope="module")
def dolby(video: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A video that is flagged as Dolby Vision, by profile."""
    folder = tmp_path_factory.mktemp("dolby")
    words = "-frames:v 8 -vf scale=96:64 -an -c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1"
    run_ffmpeg("-i", video, *words.split(), folder / "plain.mp4")
    made = {}
    for profile, compatible in ((5, 0), (8, 1)):
        record = bytes([1, 0]) + struct.pack(">HB", profile << 9 | 3 << 3 | 0b101, compatible << 4) + bytes(19)
        box = struct.pack(">I4s", 8 + len(record), b"dvcC") + record
        made[profile] = boxes.put_in_entry(folder / "plain.mp4", folder / f"dolby{profile}.mp4", b"hvc1", box)
        assert f"profile: {profile}" in ffmpeg_says(made[profile])
    return made


WRONG = "Dolby Vision of profile 5"
ARMS = "--arms plain --crf 30 --weights center --metrics psnr --jobs 1 --preset ultrafast"


@pytest.mark.parametrize(
    "words",
    [
        "encode {} {}/out.mkv --attention none --ignore-dolby-vision",
        "maps {} {}/maps.mkv --attention center",
        "maps {} {}/roi.txt --attention center --export svt-roi",
        "inspect {} --attention center --report {}/page.html",
        pytest.param(f"evaluate {{}} {ARMS} --report {{}}/scores", marks=pytest.mark.long),
        "compare {0} {0} --metrics psnr --report {1}/scores",
    ],
)
def test_wrong_colours_are_said_by_whoever_looks_at_them(
    dolby: dict[int, Path], tmp_path: Path, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for profile in (5, 8):
        (tmp_path / str(profile)).mkdir()
        done = run(capfd, *words.format(dolby[profile], tmp_path / str(profile)).split())
        assert done.status == 0, done.err
        assert (WRONG in done.err + done.out) == (profile == 5)


def test_wrong_colours_are_refused_unless_asked_for(
    dolby: dict[int, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--match-crf", "30"]):
        done = run(capfd, "encode", dolby[5], tmp_path / "out.mp4", "--attention", "center", *more)
        assert done.status != 0 and WRONG in done.err and "--ignore-dolby-vision" in done.err
        assert list(tmp_path.iterdir()) == []
