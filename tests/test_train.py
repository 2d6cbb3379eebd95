"""Training: what it reads, that it learns, that it can be broken off, and that it trains what is used."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import media
import numpy as np
import pytest
import torch
from skimage import data
from skimage.io import imsave

from stcodec.attention.center import center_density
from stcodec.attention.neural import NeuralSource
from stcodec.attention.neural_engine import NeuralDetail
from stcodec.attention.neural_options import NeuralOptions
from stcodec.errors import MediaError
from stcodec.media.clips import read_clip
from stcodec.model.config import Calibration, NetworkConfig
from stcodec.model.network import AttentionNet, log_density
from stcodec.model.weights import load_stem, save_weights
from stcodec.model.weights_file import WeightsInfo
from stcodec.train.__main__ import main
from stcodec.train.clip_features import ClipFeatures, clip_logits, features_of
from stcodec.train.config import StageConfig, TrainConfig
from stcodec.train.cutouts import read_cutouts
from stcodec.train.images import GazedImage, pixels_of, random_view, read_images
from stcodec.train.losses import correlation, divergence, fixation_map, gaze_loss
from stcodec.train.recipe import Trainer, read_material
from stcodec.train.recordings import SPEC, Recording, read_recordings
from stcodec.train.stages import CENTER_POWER, train_clips, train_images
from stcodec.train.synthetic import synthetic_clip
from stcodec.train.views import Views, read_views

HEADER = "observer,start_ms,duration_ms,x_px,y_px\n"
TINY = TrainConfig(
    images=StageConfig(steps=4, batch=2, stem_rate=1e-4, spatial_rate=2e-3, temporal_rate=0.0),
    video=StageConfig(steps=4, batch=1, stem_rate=0.0, spatial_rate=1e-3, temporal_rate=2e-3),
    synthetic=StageConfig(steps=2, batch=1, stem_rate=0.0, spatial_rate=1e-3, temporal_rate=2e-3),
    views=2,
    synthetic_runs=1,
    instants=4,
    replay=1,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of one picture each; 12 observers look at one corner after the centre."""
    folder = tmp_path_factory.mktemp("images")
    rows = ["set,image,observer,x_px,y_px,duration_ms"]
    for name, kind, corner in (("cat", "one", (60, 40)), ("cup", "two", (500, 300))):
        (folder / kind).mkdir()
        picture = getattr(data, "chelsea" if name == "cat" else "coffee")()
        imsave(folder / kind / f"{name}.png", picture, check_contrast=False)
        for observer in range(12):
            rows.append(f"{kind},{name},{observer},1,1,200")
            rows.append(f"{kind},{name},{observer},{corner[0] - 5 + observer},{corner[1]},200")
    (folder / "fixations.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def video_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip with a cut, at which 8 observers look at the lower left; 8 instants, which are one batch."""
    folder = tmp_path_factory.mktemp("video")
    (folder / "videos").mkdir()
    (folder / "fixations").mkdir()
    video = media.make_video(folder / "videos" / "video.mkv", frames=40, cuts=[20])
    video.rename(folder / "videos" / "video.avi")
    lines = [f"{observer},0,2000,{50 + observer},{140 - observer}" for observer in range(8)]
    (folder / "fixations" / "video.csv").write_text(HEADER + "\n".join(lines) + "\n")
    (folder / "manifest.json").write_text(json.dumps([{"name": "video"}]))
    return folder


@pytest.fixture(scope="module")
def mask_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red disc on gray, and its mask; 3 frames."""
    folder = tmp_path_factory.mktemp("masks")
    rows, cols = np.mgrid[:90, :160]
    disc = (rows - 45) ** 2 + (cols - 80) ** 2 <= 20**2
    picture = np.where(disc[..., None], np.array([250, 10, 10], np.uint8), np.uint8(128))
    for name, shown in (("disc", picture), ("disc.mask", np.repeat(np.uint8(255) * disc[..., None], 3, axis=2))):
        with av.open(str(folder / f"{name}.mkv"), "w") as container:
            stream = container.add_stream("ffv1", rate=25, options={})
            stream.width, stream.height, stream.pix_fmt = 160, 90, "bgr0"
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
            container.mux(stream.encode(None))
    (folder / "manifest.json").write_text(json.dumps([{"name": "disc"}]))
    return folder


@pytest.fixture(scope="module")
def recording(video_folder: Path) -> Recording:
    return read_recordings(video_folder)[0]


@pytest.fixture(scope="module")
def images(image_folder: Path) -> list[GazedImage]:
    return read_images(image_folder)


@pytest.fixture(scope="module")
def views(images: list[GazedImage]) -> Views:
    return read_views(images, fresh().stem, 3, seed=0)


def fresh() -> AttentionNet:
    """An untrained network whose temporal branch matters."""
    torch.manual_seed(5)
    net = AttentionNet()
    torch.nn.init.normal_(net.temporal.head.weight, std=0.2)
    return net.eval()


@pytest.fixture(scope="module")
def features(recording: Recording) -> ClipFeatures:
    """Of the recording, by the stem of an untrained network."""
    return features_of(recording, fresh().stem)


def nothing(stage: str, step: int, loss: float) -> None:
    """No report."""


# --- what is read ---------------------------------------------------------------------------------------------------


def test_first_fixations_are_left_out(images: list[GazedImage]) -> None:
    assert [(image.path.stem, image.prior, len(image.xy_px)) for image in images] == [("cat", 0, 12), ("cup", 1, 12)]
    assert images[0].xy_px.min() > 1


def test_views_carry_their_gaze_along(images: list[GazedImage]) -> None:
    """Wherever the crop lies and whether it is mirrored: the cat's corner is the same patch of fur."""
    random = np.random.default_rng(1)
    patches = []
    for _ in range(12):
        view = random_view(images[0], pixels_of(images[0]), random)
        if view is None:
            continue
        picture, density = torch.from_numpy(view[0]), view[1]
        assert picture.shape == (3, 192, 320)
        assert float(density.sum()) == pytest.approx(1)
        row, col = divmod(int(density.argmax()), density.shape[1])
        patches.append(picture[:, row * 8 : row * 8 + 8, col * 8 : col * 8 + 8].mean((1, 2)))
    assert len(patches) >= 3
    assert float(torch.stack(patches).std(0).max()) < 0.1


def test_recording(recording: Recording) -> None:
    assert len(recording.seconds) == 8 and recording.pictures.shape == (8, 3, 192, 320)
    assert recording.shot.tolist() == [1] * 4 + [2] * 4
    assert (recording.density.sum((1, 2)) > 0).tolist() == [False, False] + [True] * 6  # the lead
    row, col = divmod(int(recording.density[5].argmax()), 40)
    assert (col + 0.5) / 40 == pytest.approx(53.5 / 320, abs=0.03) and (row + 0.5) / 24 == pytest.approx(136 / 180, abs=0.04)


def test_mirrored_twice_is_the_same(recording: Recording) -> None:
    once = recording.mirrored()
    assert torch.equal(once.density[5], recording.density[5].flip(1))
    twice = once.mirrored()
    for name in ("pictures", "motion", "score", "position", "density"):
        assert torch.equal(getattr(twice, name), getattr(recording, name)), name


# --- the loss -------------------------------------------------------------------------------------------------------


def test_losses() -> None:
    here = fixation_map(np.array([0.25]), np.array([0.5]), (24, 40))[None]
    there = fixation_map(np.array([0.75]), np.array([0.5]), (24, 40))[None]
    assert float(divergence((here + 1e-9).log(), here)) == pytest.approx(0, abs=1e-4)
    assert float(correlation(here, here)) == pytest.approx(1, abs=1e-5)
    right = gaze_loss((here + 1e-9).log()[:, None], here, 0.5)
    wrong = gaze_loss((there + 1e-9).log()[:, None], here, 0.5)
    assert float(right) == pytest.approx(-0.5, abs=1e-3) and float(wrong) > 5


# --- the loop -------------------------------------------------------------------------------------------------------


def test_it_learns(views: Views, features: ClipFeatures) -> None:
    net, run = fresh(), features
    config = replace(TINY, video=replace(TINY.video, steps=12))

    def loss() -> float:
        with torch.no_grad():
            logits = clip_logits(net, run, ahead=False)
            return float(gaze_loss(logits[run.scored], run.density[run.scored], 0.5))

    before, steps = loss(), []
    train_clips(
        net, "video", [(run,)], views.through(net.stem), config, lambda stage, step, loss: steps.append((stage, step))
    )
    assert steps == [("video", step) for step in range(1, 13)]
    assert loss() < 0.95 * before


def test_images_leave_the_early_blocks_alone(views: Views) -> None:
    net = fresh()
    weights = dict(net.stem.named_parameters())
    early, later = (weights[f"blocks.{number}.project.conv.weight"] for number in (4, 9))
    was = early.detach().clone(), later.detach().clone()
    train_images(net, views, TINY, nothing)
    assert torch.equal(early, was[0]) and not torch.equal(later, was[1])
    center = torch.from_numpy(np.log(center_density(6, 10)))
    torch.testing.assert_close(net.prior[-1, 0], net.prior[:-1, 0].mean(0) + CENTER_POWER * center)


def test_a_stem_that_gaze_has_trained_stays_as_it_is(views: Views, tmp_path: Path) -> None:
    net = fresh()
    path = tmp_path / "weights.safetensors"
    save_weights(net, path, WeightsInfo(NetworkConfig(), Calibration()))
    other = AttentionNet()
    assert load_stem(other.stem, path)
    was = {key: value.clone() for key, value in other.stem.state_dict().items()}
    assert torch.allclose(was["first.conv.weight"], net.stem.first.conv.weight, atol=1e-3)
    train_images(other, views, TINY.with_trained_stem(), nothing)
    assert all(torch.equal(value, was[key]) for key, value in other.stem.state_dict().items())


def test_broken_off_and_gone_on(views: Views, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stcodec.train.loop._SAVE_EVERY", 2)
    whole, broken = fresh(), fresh()
    train_images(whole, views, TINY, nothing)

    def stop(stage: str, step: int, loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    point = tmp_path / "point"
    with pytest.raises(KeyboardInterrupt):
        train_images(broken, views, TINY, stop, point)
    taken: list[int] = []
    again = fresh()
    train_images(again, views, TINY, lambda stage, step, loss: taken.append(step), point)
    assert taken == [3, 4]
    for key, value in whole.state_dict().items():
        assert torch.allclose(value, again.state_dict()[key], atol=1e-6), key


def test_the_same_step_draws_the_same_batch(views: Views) -> None:
    first, second = (views.sample(3, np.random.default_rng((0, 0, 7))) for _ in range(2))
    assert torch.equal(first.taps[0], second.taps[0]) and torch.equal(first.density, second.density)


# --- synthetic video ------------------------------------------------------------------------------------------------


def test_cutouts(mask_folder: Path) -> None:
    """The disc fills its square but for the margin, and shows its own colour."""
    thing = read_cutouts(mask_folder)[0]
    assert thing.pictures.shape == (3, 3, 96, 96) and thing.masks.shape == (3, 1, 96, 96)
    assert float(thing.masks.mean()) == pytest.approx(np.pi / 4 * (40 / 48) ** 2, abs=0.05)
    red, green, blue = thing.pictures[:, :, 40:56, 40:56].mean((0, 2, 3)).tolist()
    assert red > 0.5 and green < -0.5 and blue < -0.5


def test_a_camera_alone_moves_the_gaze_with_the_picture(images: list[GazedImage]) -> None:
    """Nothing moves against it, so that the gate stays shut, and the looked-at place stays the same patch of fur."""
    runs = [synthetic_clip(images[:1], [], 8, np.random.default_rng((3, number))) for number in range(6)]
    followed = 0
    for run in runs:
        assert run.pictures.shape == (8, 3, 192, 320)
        known = [index for index in range(8) if run.density[index].sum() > 0]
        cells = [divmod(int(run.density[index].argmax()), 40) for index in known]
        inner = [(index, cell) for index, cell in zip(known, cells, strict=True) if 1 <= cell[0] < 23 and 1 <= cell[1] < 39]
        shown = [run.pictures[index, :, row * 8 : row * 8 + 8, col * 8 : col * 8 + 8].float() for index, (row, col) in inner]
        if len(shown) > 1:
            followed += 1
            assert float(torch.stack(shown).mean((2, 3)).std(0).max()) < 0.15
    assert followed >= 3
    assert sum(float(run.score.mean()) for run in runs) / 6 < 0.05
    assert any(float((run.pictures[0] - run.pictures[-1]).abs().mean()) > 0.05 for run in runs)


def test_a_thing_that_moves_draws_the_gaze(images: list[GazedImage], mask_folder: Path) -> None:
    """Where the red disc is, there the density is; and the gate opens on it."""
    things = read_cutouts(mask_folder)
    drawn = []
    for number in range(12):
        run = synthetic_clip(images[:1], things, 8, np.random.default_rng((4, number)))
        red = (run.pictures[:, 0] - run.pictures[:, 1:].amax(1)).float() > 0.8
        shown = torch.nn.functional.avg_pool2d(red.float()[:, None], 8)
        near = torch.nn.functional.max_pool2d(shown, 5, 1, 2)[:, 0] > 0
        for before, now in pairwise(range(8)):
            moved = float((shown[now] - shown[before]).abs().sum()) > 4
            if moved and shown[now].sum() > 6 and run.density[now].sum() > 0:
                drawn.append((float(run.density[now][near[now]].sum()), float(run.score[now].max())))
    density, score = np.median(drawn, axis=0)
    assert len(drawn) > 10
    assert density > 0.5 and score > 0.2


# --- the recipe -----------------------------------------------------------------------------------------------------


def test_the_last_stage_leaves_what_went_before_for_the_next_fold(
    image_folder: Path, mask_folder: Path, video_folder: Path
) -> None:
    net = fresh()
    material = read_material(image_folder, mask_folder, video_folder, net.stem, TINY)
    assert (len(material.views), len(material.synthetic), list(material.clips)) == (4, 1, ["video"])
    told: list[str] = []
    trainer = Trainer(net, material, TINY, lambda stage, step, loss: told.append(stage))
    trainer.learn_pictures()
    trainer.learn_motion()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    tuned = trainer.tune(["video"])
    assert told == ["images"] * 4 + ["synthetic"] * 2 + ["video"] * 4
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not torch.equal(tuned.head.weight, net.head.weight)


# --- what is trained is what is used --------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [True, False])
def test_a_run_is_what_the_source_computes_step_by_step(
    features: ClipFeatures, video_folder: Path, tmp_path: Path, causal: bool
) -> None:
    net = fresh()
    path = tmp_path / "weights.safetensors"
    save_weights(net, path, WeightsInfo(NetworkConfig(), Calibration()))
    details: list[NeuralDetail] = []
    source = NeuralSource(NeuralOptions(causal=causal, device="torch"), path, on_detail=details.append)
    source.attend(read_clip(video_folder / "videos" / "video.avi", SPEC))
    with torch.no_grad():
        expected = log_density(clip_logits(net, features, ahead=not causal))[:, 0].exp().numpy()
    for ours, theirs in zip(details, expected, strict=True):  # before densities are averaged over time
        density = ours.spatial_density * np.exp(ours.temporal_gain)
        np.testing.assert_allclose(density / density.max(), theirs / theirs.max(), atol=0.02)


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "stem.pth: holds no weights of EfficientNet-Lite0"),
        (("--device", "cuda:99"), "device cuda:99: torch sees"),
        (("--out", "no/w.safetensors"), "make it first"),
    ],
)
def test_refusals(
    tmp_path: Path, more: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("stem.pth").write_bytes(b"")
    given = ["--images", "none", "--masks", "none", "--video", "none", "--stem", "stem.pth", "--out", "w.safetensors", *more]
    assert main(given) == 1
    assert words in capsys.readouterr().err
    assert {one.name for one in tmp_path.iterdir()} == {"stem.pth"}


def test_training_says_what_to_install() -> None:
    code = "import sys, runpy; sys.modules['torch'] = None; runpy.run_module('stcodec.train', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = 'stcodec.train: needs torch, which is not installed: pip install "stcodec[train]"\n'
    assert (done.returncode, done.stderr) == (1, said)


def test_folders_without_tables_are_refused(image_folder: Path, mask_folder: Path, tmp_path: Path) -> None:
    stem = fresh().stem
    for given, words in (
        ((tmp_path, mask_folder, tmp_path), "fixations.csv: no such file"),
        ((image_folder, tmp_path, tmp_path), "manifest.json: no such file: a folder of video with masks"),
        ((image_folder, mask_folder, tmp_path), "manifest.json: no such file: a folder of video with gaze"),
    ):
        with pytest.raises(MediaError, match=words):
            read_material(*given, stem, TINY)
