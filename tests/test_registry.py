"""What users write, and the sources that come of it."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stcodec.attention import AttentionSource, open_source, source_names
from stcodec.attention.blended import BlendedSource
from stcodec.attention.gaze import GazeSource
from stcodec.attention.map_file import MapFileSource, MaskSource
from stcodec.attention.registry import with_device
from stcodec.errors import AttentionError, MediaError, OptionsError
from stcodec.options import DEFAULT_ATTENTION
from stcodec.pipeline.doctor import examine
from stcodec.types import Clip, VideoInfo

PLUGIN = """
import numpy as np
from stcodec.attention import AttentionSession, AttentionSource
from stcodec.attention.base import track
from stcodec.errors import OptionsError
from stcodec.options import DEFAULT_ATTENTION
from stcodec.types import ClipSpec

class Session(AttentionSession):
    def __init__(self, value, video):
        self.value, self.video = value, video

    def attend(self, clip):
        maps = np.full((len(clip), 2, 2), self.value, np.float32)
        return track(self.video, "flat", clip.pts_seconds, clip.shot_starts, maps)

class Flat(AttentionSource):
    spec = ClipSpec(1.0)

    def __init__(self, argument="0.5"):
        if argument == "no":
            raise OptionsError("flat: no is no number")
        self.name = f"flat:{argument}"
        self.value = float(argument)

    def open(self, video):
        return Session(self.value, video)

class Failing(Flat):
    # At work: the argument says when, or with what.
    def __init__(self, argument):
        super().__init__()
        self.argument = argument

    def open(self, video):
        if self.argument == "open":
            raise KeyError("video")
        return None if self.argument == "nothing" else FailingSession(self.argument, video)

class FailingSession(Session):
    def __init__(self, argument, video):
        super().__init__(0.5, video)
        self.argument = argument

    def attend(self, clip):
        if self.argument == "attend":
            raise ValueError("two\\nlines")
        return np.ones((len(clip), 2, 2)) if self.argument == "array" else super().attend(clip)

    def finish(self):
        if self.argument == "refuse":
            raise OptionsError("flat: not this video")
        return 7 if self.argument == "finish" else None

class Nameless(Flat):
    def __init__(self):
        pass

def wrong():
    return 42
"""
ENTRY_POINTS = """[stcodec.attention_sources]
flat = flat_plugin:Flat
wrong = flat_plugin:wrong
absent = flat_plugin:NotThere
gone = no_such_module:Source
failing = flat_plugin:Failing
nameless = flat_plugin:Nameless
motion = flat_plugin:Flat
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution as pip would have installed it."""
    (tmp_path / "flat_plugin.py").write_text(PLUGIN)
    info = tmp_path / "flat_saliency-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flat-saliency\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "flat_plugin", raising=False)


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A map whose name looks like a blend, in the working folder."""
    name = "a+b 0.5*c.png"
    Image.fromarray(np.full((18, 32), 200, np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return name


def make_clip() -> Clip:
    video = VideoInfo(320, 180, Fraction(1, 1000), Fraction(25), 4.0, None, "yuv420p", 8, "h264")
    return Clip(video, np.array([0.0, 1.0]), np.array([True, False]))


def opened(text: str) -> AttentionSource:
    source = open_source(text)
    assert source is not None
    return source


def test_plain_names() -> None:
    assert open_source("none") is None
    for name in ("center", "motion", DEFAULT_ATTENTION):
        assert opened(name).name == name


def test_sources_of_files(picture: str, tmp_path: Path) -> None:
    assert isinstance(open_source(f"map:{picture}"), MapFileSource)
    assert isinstance(open_source(f"mask:{picture}"), MaskSource)
    (tmp_path / "g:1.csv").write_text("observer,start_ms,duration_ms,x_px,y_px\n1,0,100,5,5\n")
    source = opened("gaze:g:1.csv")
    assert isinstance(source, GazeSource)
    assert source.name == "gaze:g:1.csv"


def test_opening_fails_as_the_file_does() -> None:
    with pytest.raises(MediaError, match=r"nowhere\.mkv: no such file"):
        open_source("map:nowhere.mkv")
    with pytest.raises(MediaError, match=r"http:/+127\.0\.0\.1:9/a\.mkv: no such file"):
        open_source("map:http://127.0.0.1:9/a.mkv")
    with pytest.raises(AttentionError, match="No such file"):
        open_source("gaze:nowhere.csv")
    with pytest.raises(AttentionError, match="no such file"):
        open_source("onnx:nowhere.onnx")


def test_neural_takes_options() -> None:
    assert opened("neural").name == "neural"
    assert opened("neural:causal,device=cpu").name == "neural:causal,device=cpu"
    with pytest.raises(OptionsError, match="write neural, or neural:OPTION"):
        open_source("neural:")


def test_device_goes_to_neural_parts_only() -> None:
    assert with_device("motion", "cpu") == "motion"
    assert with_device("neural", "cuda:1") == "neural:device=cuda:1"
    assert with_device("neural:causal", "cpu") == "neural:causal,device=cpu"
    assert with_device("neural:device=cpu", "cuda") == "neural:device=cpu"
    assert with_device("0.7*neural + 0.3*map:a+b.mkv", "cpu") == "0.7*neural:device=cpu+0.3*map:a+b.mkv"
    assert with_device("map:neural", "cpu") == "map:neural"


@pytest.mark.parametrize(
    "text", ["", "motoin", "Motion", " motion", "none:x", "motion+center", "foo:bar", "2*", "-1*motion"]
)
def test_unknown_names_list_what_there_is(text: str) -> None:
    with pytest.raises(
        OptionsError, match="is no source of attention: there are neural, center, motion, none, map:FILE"
    ) as caught:
        open_source(text)
    assert ("0.5*motion+0.5*center" in str(caught.value)) == ("+" in text)


@pytest.mark.parametrize(
    ("text", "message"), [("motion:x", "takes nothing"), ("map:", "map:FILE"), ("gaze", "gaze:FILE.csv")]
)
def test_arguments_that_are_wrong_or_missing(text: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        open_source(text)


# --- blends


def test_blend_of_files_with_awkward_names(picture: str) -> None:
    maps = opened(f"map:{picture}")
    assert isinstance(maps, MapFileSource)  # the name alone is not cut
    for text in (
        f"0.25*map:{picture}+.75*mask:{picture}",
        f" 0.25 * map:{picture} + 7.5e-1*mask:{picture} ",
    ):
        blend = open_source(text)
        assert isinstance(blend, BlendedSource)
        assert blend.name == f"0.25*map:{picture}+0.75*mask:{picture}"
    single = open_source(f"2*map:{picture}")
    assert isinstance(single, BlendedSource)
    assert single.attend(make_clip()).saliency.max() == 1


def test_blend_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, column in (("left.png", 0), ("right.png", 1)):
        pixels = np.zeros((9, 16), np.uint8)
        pixels[:, column * 8 : column * 8 + 8] = 255
        Image.fromarray(pixels).save(name)
    found = opened("3*map:left.png+1*map:right.png").attend(make_clip()).saliency[0]
    assert found[:, :8] == pytest.approx(np.ones((9, 8)))
    assert found[:, 8:] == pytest.approx(np.full((9, 8), 1 / 3), abs=1e-6)


def test_blends_that_are_wrong() -> None:
    with pytest.raises(OptionsError, match="none has no maps and can't be part of a blend"):
        open_source("0.5*center+0.5*none")
    with pytest.raises(OptionsError, match="the weight of center is 0"):
        open_source("0*center+0.5*center")
    with pytest.raises(OptionsError, match="'centre' is no source"):
        open_source("0.5*centre+0.5*motion")
    with pytest.raises(OptionsError, match="every part has a weight"):
        open_source("0.5*motion+center")


# --- other packages


@pytest.mark.usefixtures("plugin")
def test_source_of_another_package() -> None:
    assert np.all(opened("flat").attend(make_clip()).saliency == 0.5)
    assert np.all(opened("flat:0.25").attend(make_clip()).saliency == 0.25)
    blend = opened("0.5*flat:0.25+0.5*flat")
    assert blend.name == "0.5*flat:0.25+0.5*flat:0.5"
    assert {"flat", "wrong"} <= set(source_names())
    assert source_names().count("motion") == 1


@pytest.mark.usefixtures("plugin")
def test_no_package_can_take_a_built_in_name() -> None:
    assert opened("motion").name == "motion"


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flat:x", r"the source flat of the package flat-saliency failed \(ValueError: "),
        ("absent", r"the source absent of the package flat-saliency failed \(AttributeError: "),
        ("gone", r"the source gone of the package flat-saliency failed \(ModuleNotFoundError: "),
        ("wrong", "the source wrong of the package flat-saliency gave int, not an AttentionSource"),
        ("wrong:x", r"the source wrong of the package flat-saliency failed \(TypeError: "),
        ("nameless", r"the source nameless of the package flat-saliency failed \(AttributeError: "),
    ],
)
def test_broken_source_of_another_package(text: str, message: str) -> None:
    with pytest.raises(AttentionError, match=message):
        open_source(text)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("open", r"failed \(KeyError: 'video'\): report it there"),
        ("nothing", "gave NoneType, not an AttentionSession"),
        ("attend", r"failed \(ValueError: two lines\)"),
        ("array", "gave ndarray, not a SaliencyTrack"),
        ("finish", "gave int, not a SaliencyTrack"),
    ],
)
def test_source_of_another_package_that_fails_at_work(how: str, message: str) -> None:
    for text in (f"failing:{how}", f"0.5*failing:{how}+0.5*center"):
        source = opened(text)
        with pytest.raises(AttentionError, match=f"the source failing of the package flat-saliency {message}"):
            source.attend(make_clip())


@pytest.mark.usefixtures("plugin")
def test_doctor_tries_the_sources_of_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("ENCODERS", "NO_WAY"):
        monkeypatch.setattr(f"stcodec.pipeline.doctor.{table}", {})
    found = examine()["attention"]
    assert (found["flat"], found["center"], found["onnx:FILE.onnx"]) == ("ok", "ok", "ok")
    assert found["gone"].startswith("failed: the source gone of the package flat-saliency failed (ModuleNotFoundError")


@pytest.mark.usefixtures("plugin")
def test_what_another_package_refuses_on_purpose_stays_as_it_is() -> None:
    with pytest.raises(OptionsError, match=r"^flat: no is no number$"):
        open_source("flat:no")
    with pytest.raises(OptionsError, match=r"^flat: not this video$"):
        opened("failing:refuse").attend(make_clip())


# --- cost


def test_importing_the_registry_loads_nothing_heavy() -> None:
    code = (
        "import sys, stcodec.attention as a; a.source_names(); a.open_source('none');"
        "print(sorted({'cv2', 'av', 'onnxruntime', 'skimage', 'scipy', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
