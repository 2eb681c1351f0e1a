"""The same archive from the workers of a Dask cluster, also when one of them dies."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from catalogues import scatter, write_psfcat

import ingest.work as work
from ingest.cluster import DaskExecutor
from ingest.errors import ClusterError
from ingest.pipeline import ingest
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of distributed's own making


def published(root: Path) -> dict[str, bytes]:
    snapshot = open_snapshot(root)
    return {
        entry.path: (root / entry.path).read_bytes()
        for group in snapshot.groups
        for entry in snapshot.manifest(group).files
    }


@pytest.fixture
def raw(tmp_path):
    for number in range(8):
        ra, dec = scatter(np.random.default_rng(number), 200)
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.3 + number / 100)
    return tmp_path / "raw"


def archive(path: Path) -> Path:
    create_archive(path, ArchiveSettings(name="test"))
    return path


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


def modules_of_worker():
    import sys

    return os.getpid(), "lsdb" in sys.modules, "ingest.batch" in sys.modules


def test_a_cluster_makes_the_bytes_of_one_machine_and_outlives_a_worker(
    tmp_path, raw, cluster, monkeypatch
):
    alone = archive(tmp_path / "alone")
    ingest(alone, [raw], workers=1)
    together = archive(tmp_path / "together")
    monkeypatch.setattr(work, "BATCH_ITEMS", 1)
    killed = []

    def kill_one(done, total, what):
        if "images" in what and not killed:
            pid = next(iter(cluster.workers.values())).pid
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    with DaskExecutor(cluster.scheduler_address) as executor:
        assert executor.workers == 2
        report = ingest(together, [raw], executor=executor, progress=kill_one)
        seen = executor._client.run(modules_of_worker)
    assert killed
    assert report.rows == 1600
    assert not report.refusals
    assert published(together) == published(alone)
    assert verify(together) == []
    assert not any(lsdb for _, lsdb, _ in seen.values())
    assert killed[0] not in {pid for pid, _, _ in seen.values()}


def test_a_scheduler_that_does_not_answer_is_said_to_be_none():
    with pytest.raises(ClusterError, match="no scheduler answers"):
        DaskExecutor("tcp://127.0.0.1:9")
