"""`stcodec batch --ray` on a local cluster of two machines, each with a worker, of which one is killed in mid-job."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import command
import media
import pytest
from batches import FRAMES, communicate, encoder_of, jobs, make_folder, reader_of, readers_of, start, wait_until
from command import ENVIRONMENT

from stcodec.batch.ray_pool import RayWorkers
from stcodec.errors import BatchError
from stcodec.work.own_cores import free_cores, own_cores

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
CLUSTER = """
import sys, time
from ray.cluster_utils import Cluster
small = {"object_store_memory": 80_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
nodes = [cluster.add_node(num_cpus=1, num_gpus=number, object_store_memory=80_000_000) for number in (0, 1)]
processes = [node.all_processes["raylet"][0].process.pid for node in nodes]
print(cluster.address, *processes, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@dataclass
class Cluster:
    """Two machines of one processor each, as Ray sees it; the second has something that it takes for a GPU."""

    address: str
    without_gpu: int
    """The process that is the machine for Ray: with it all others of the machine go."""
    with_gpu: int

    def machine_of(self, process: int) -> int:
        """The machine that a process belongs to."""
        return parent_of(process)


def kill_machine(machine: int) -> None:
    """End all its processes at once."""
    parts = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()]
    for process in [machine, *(one for one in parts if parent_of(one) == machine)]:
        os.kill(process, signal.SIGKILL)


def parent_of(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return 0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("ray")
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        cwd=tmp_path,
        env={**ENVIRONMENT, **LOOPBACK},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        address, *machines = process.stdout.readline().split()
        yield Cluster(address, *map(int, machines))
        process.communicate()


def test_without_ray_one_line_says_what_to_install(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "in", "a.mp4")
    monkeypatch.setitem(sys.modules, "ray", None)
    done = command.run(capfd, "batch", tmp_path / "in", tmp_path / "out", "--ray", "auto", "--attention", "none")
    command.assert_one_line(done, 2, r"--ray needs the package ray: pip install 'stcodec\[ray\]'")


def test_each_task_has_cores_of_its_own(tmp_path: Path) -> None:
    usable = sorted(os.sched_getaffinity(0))[:2]
    taken = [free_cores(usable, 1, tmp_path) for _ in range(len(usable) + 1)]
    assert [one and one[0] for one in taken] == [*([core] for core in usable), None]
    for one in filter(None, taken):
        one[1].close()
    before = os.sched_getaffinity(0)
    with own_cores(1, tmp_path):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_locks_are_not_made_where_others_may_have_put_something(tmp_path: Path) -> None:
    usable = sorted(os.sched_getaffinity(0))[:1]
    elsewhere, precious = tmp_path / "elsewhere", tmp_path / "precious"
    precious.write_text("kept")
    elsewhere.mkdir()
    (elsewhere / str(usable[0])).symlink_to(precious)
    folder = tmp_path / f"stcodec-cores-{os.getuid()}"
    folder.symlink_to(elsewhere)
    assert free_cores(usable, 1, tmp_path) is None
    folder.unlink()
    elsewhere.rename(folder)
    folder.chmod(0o777)
    assert free_cores(usable, 1, tmp_path) is None
    assert precious.read_text() == "kept"


@pytest.mark.long
@pytest.mark.parametrize("role", ["encoding", "looking"])
def test_a_machine_dies_and_every_file_comes_out_right(tmp_path: Path, cluster: Cluster, role: str) -> None:
    names = [f"{number}.mp4" for number in range(8)]
    make_folder(tmp_path / "in", *names)
    slow = media.make_video(tmp_path / "in" / "slow.mp4", size=(640, 360), frames=100)
    arguments = ("in", "out", "--attention", "motion", "--preset", "placebo", "--ray", cluster.address)
    maps = tmp_path / "out" / ".stcodec-batch" / "maps"
    with start(tmp_path, *arguments) as process:
        looking = reader_of(slow, process)
        wait_until(process, lambda: list(maps.glob("*.mkv")) and len(readers_of(slow) - {looking}) == 1)
        (encoding,) = readers_of(slow) - {looking}
        machines = {"looking": cluster.machine_of(looking), "encoding": cluster.machine_of(encoding)}
        kill_machine(machines[role])
        out, err = communicate(process, 120)
    assert process.returncode == 0, (err, out)
    assert machines["looking"] == cluster.with_gpu
    if role == "encoding":
        assert re.search(r"again: .*slow.mp4: its process ended \((NodeDied|WorkerCrashed)\w*Error\)", err), err
    assert '"done": 9' in out.splitlines()[-1]
    assert jobs(tmp_path / "out")["slow.mp4"]["attempts"] <= 2
    assert len(list(maps.iterdir())) == 2  # the small videos are the same
    for name in names:
        assert len(media.frames_of(tmp_path / "out" / name)) == FRAMES
    assert len(media.frames_of(tmp_path / "out" / "slow.mp4")) == 100


def test_a_killed_worker_takes_no_file_with_it(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    make_folder(tmp_path / "in", "0.mp4", "1.mp4", "2.mp4")
    slow = media.make_video(tmp_path / "in" / "slow.mp4", size=(640, 360), frames=50)
    arguments = ("in", "out", "--attention", "none", "--preset", "slower", "--jobs", "2", "--ray", "auto")
    with start(tmp_path, *arguments) as process:
        os.kill(encoder_of(slow, tmp_path / "out", process), signal.SIGKILL)
        out, err = communicate(process, 120)
    assert process.returncode == 0, (err, out)
    assert "slow.mp4: its process ended (WorkerCrashedError)" in err
    assert {name: job["attempts"] for name, job in jobs(tmp_path / "out").items()} == {
        "0.mp4": 1, "1.mp4": 1, "2.mp4": 1, "slow.mp4": 2,
    }  # fmt: skip
    assert [len(media.frames_of(tmp_path / "out" / f"{number}.mp4")) for number in range(3)] == [FRAMES] * 3
    assert len(media.frames_of(tmp_path / "out" / "slow.mp4")) == 50


def test_the_machines_must_see_the_storage(tmp_path: Path) -> None:
    class Far:
        """A cluster whose only machine mounts nothing."""

        exceptions: Any = type("exceptions", (), {"RayError": RuntimeError})

        def init(self, **_: Any) -> None: ...

        def shutdown(self) -> None: ...

        def nodes(self) -> list[dict[str, Any]]:
            return [{"Alive": True, "NodeID": "ab" * 28, "NodeManagerHostname": "far", "Resources": {"CPU": 8}}]

        def remote(self, *_: Any, **__: Any) -> Any:
            return self

        def options(self, **_: Any) -> Any:
            return self

        def __call__(self, *_: Any) -> Any:
            return self

        def get(self, *_: Any, **__: Any) -> bool:
            return False

    pytest.importorskip("ray")
    workers = RayWorkers("auto", None, tmp_path, ray=Far())
    with pytest.raises(BatchError, match="the machine far does not see this folder"), workers:
        pass
