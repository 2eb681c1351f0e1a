"""What the whole way of a night is measured against."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table

from benchmarks import paper
from benchmarks.night import Night, image_of
from store.columns import ROW_GROUP_ROWS
from store.contract import DETECTIONS

# Rows that a process of the peer holds in memory: more are not needed for a time per row.
HELD_ROWS = 3_000_000
RADIUS_ARCSEC = 1.5


class TunedWrite:
    """Processes that hold published rows in memory and write them again when asked.

    With the contract's own codec, encodings and row groups: what pyarrow takes at its best.
    """

    def __init__(self, files: Sequence[Path], workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._links: list[Connection] = []
        self._processes = []
        largest_first = sorted(files, key=lambda path: -path.stat().st_size)
        for worker in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_write_when_asked, args=(largest_first[worker::workers], theirs)
            )
            process.start()
            theirs.close()
            self._links.append(ours)
            self._processes.append(process)
        self._rows: int = sum(link.recv() for link in self._links)

    def seconds_a_row(self) -> tuple[float, float]:
        """Write once, all at the same time; seconds over all rows.

        Returns
        -------
        wall : until the last process is done.
        cpu : processor time of all.
        """
        os.sync()
        start = time.perf_counter()
        for link in self._links:
            link.send(True)
        cpu: float = sum(link.recv() for link in self._links)
        return (time.perf_counter() - start) / self._rows, cpu / self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for link in self._links:
            link.send(False)
        for process in self._processes:
            process.join()


def _write_when_asked(files: Sequence[Path], link: Connection) -> None:
    tables: list[pa.Table] = []
    for path in files:
        if sum(table.num_rows for table in tables) < HELD_ROWS:
            tables.append(pq.ParquetFile(path).read().combine_chunks())
    link.send(sum(table.num_rows for table in tables))
    target = files[0].parents[3] / f"peer-{os.getpid()}.parquet" if files else Path(os.devnull)
    while link.recv():
        before = time.process_time()
        for table in tables:
            with pq.ParquetWriter(target, table.schema, **DETECTIONS.write_options()) as writer:
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        link.send(time.process_time() - before)
    target.unlink(missing_ok=True)


def paper_seconds(files: Sequence[Path], archive: Path, raw: Path) -> float:
    """Seconds a row of the paper's way, one process: the median over images but the first.

    The first pays for imports and tables; the answers of all are compared.
    """
    spent = []
    for path in files:
        published, image = image_of(archive, path)
        (reference_path,) = raw.rglob(
            f"ztf_{image['field']:06d}_{image['filtercode']}_c{image['ccdid']:02d}"
            f"_q{image['qid']}_refpsfcat.fits"
        )
        reference = _table(reference_path)
        ref_ra, ref_dec = (np.asarray(reference[name], np.float64) for name in ("ra", "dec"))
        mjd = float(image["obsmjd"])  # type: ignore[arg-type]
        start = time.perf_counter()
        table = _table(path)
        ra, dec = np.asarray(table["ra"], np.float64), np.asarray(table["dec"], np.float64)
        travel = paper.light_travel_fit(mjd, ra, dec)
        table["hmjd"] = mjd + (travel + float(image["exptime"]) / 2) / 86400  # type: ignore[arg-type]
        table["secz"] = paper.secz(mjd, ra, dec)
        table["match"] = paper.nearest(ra, dec, ref_ra, ref_dec, RADIUS_ARCSEC)
        columns = {name: np.asarray(table[name]) for name in table.colnames}
        native = {
            name: values.astype(values.dtype.newbyteorder("=")) for name, values in columns.items()
        }
        pq.write_table(pa.table(native), archive / "paper.parquet")
        spent.append((time.perf_counter() - start) / len(table))
        _compare(native, published.to_dict(as_series=False))
    return statistics.median(spent[1:])


def _compare(theirs: dict[str, Any], ours: dict[str, list[Any]]) -> None:
    """The published rows are the input's, with the paper's dates, airmasses and matches."""
    assert np.array_equal(theirs["sourceid"], ours["sourceid"])
    for name in ("ra", "dec", "flux"):
        assert np.array_equal(theirs[name], ours[name]), name
    # The paper's fit errs by 66 µs; a footprint that one stray row widens, by more.
    assert np.median(np.abs(theirs["hmjd"] - ours["hmjd"])) * 86400e6 < 100
    assert np.allclose(theirs["secz"], ours["secz"], rtol=1e-6)
    matched = np.array([separation is not None for separation in ours["match_arcsec"]])
    assert np.array_equal(theirs["match"] >= 0, matched)
    first = np.array([rank == 1 for rank in ours["match_rank"]])
    ids = np.array([-1 if oid is None else oid % 100_000_000 for oid in ours["oid"]])
    assert np.array_equal(ids[first], theirs["match"][first])


def _table(path: Path) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that astropy does not know
        return Table.read(path, hdu=1)


def hats_import_seconds(night: Night, folder: Path, workers: int) -> float | None:
    """Seconds of hats-import for the night's files, on a warm cluster; None if not installed.

    It does no transforms: columns as they are, cut into pixels.
    """
    if find_spec("hats_import") is None:
        return None
    from dask.distributed import Client, LocalCluster
    from hats_import.catalog.arguments import ImportArguments
    from hats_import.catalog.file_readers import FitsReader
    from hats_import.pipeline import pipeline_with_client

    files = sorted(night.raw.rglob("*_psfcat.fits"))
    seconds = 0.0
    with (
        # Dask leaves settings of the allocator behind, which slow down whatever is started next.
        patch.dict(os.environ),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None,
            env={"PYTHONWARNINGS": "ignore"},  # astropy's, of a unit in every file
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        for name, some in (("warm", files[:2]), ("all", files)):
            arguments = ImportArguments(
                output_path=folder, output_artifact_name=name, input_file_list=some,
                file_reader=FitsReader(chunksize=500_000), ra_column="ra", dec_column="dec",
                pixel_threshold=1_000_000, progress_bar=False,
                write_table_kwargs={"compression": "zstd", "compression_level": 3},
            )  # fmt: skip
            os.sync()
            start = time.perf_counter()
            pipeline_with_client(arguments, client)
            seconds = time.perf_counter() - start
    return seconds
