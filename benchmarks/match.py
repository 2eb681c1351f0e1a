"""Matching by position: sources of one image, and catalogue to catalogue, beside the peers.

python -m benchmarks.match [--rows N] [--json FILE]

Rows are those of the left catalogue; the right one has a fifth of them. Both lie as catalogues do,
in the order of their HEALPix index; kernel and astropy also take them shuffled. The kernel matches
arrays in memory, on one thread as astropy does, its index built anew each time as astropy's is;
the product goes from files to a new file on all cores, beside LSDB (which reads the same catalogues
and only computes) and STILTS (the same FITS tables to a FITS table).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.harness import Contender, Ratio, Result, in_turn, options, tell, times_faster
from products.crossmatch import crossmatch
from products.crossmatch.rows import healpix_key
from products.crossmatch.threads import available_cores
from transforms.match import SkyGrid

Floats = NDArray[np.float64]
Sky = tuple[Floats, Floats]

RADIUS_ARCSEC = 1.5
IMAGE_ROWS, IMAGE_REFERENCES = 20_000, 30_000
IMAGES, PASSES = 4, 3
# One partition of the HATS catalogues: what hats-import makes of such rows.
PARTITION_ROWS = 400_000
# The slow peers take minutes: fewer rounds for catalogues than for images, and for large ones one.
CATALOGUE_ROUNDS = 2
LARGE_ROWS = 10_000_000


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it."""
    parser = options(__doc__, 5_000_000)
    parser.add_argument("--folder", type=Path, help="where the catalogues are written; gone after")
    chosen = parser.parse_args(arguments)
    result = Result("match", chosen.rows)
    image(result, min(chosen.rows, IMAGE_ROWS), chosen.rounds)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        most = CATALOGUE_ROUNDS if chosen.rows < LARGE_ROWS else 1
        catalogues(result, Path(folder), chosen.rows, min(chosen.rounds, most))
    tell(result, chosen.json)
    return result


def image(result: Result, rows: int, rounds: int) -> None:
    """One image on the reference of its channel."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(1)
    n_references = rows * IMAGE_REFERENCES // IMAGE_ROWS
    images = [_image(rng, rows, n_references) for _ in range(IMAGES)]
    grids = [SkyGrid(*reference) for reference, _ in images]
    trees = [cKDTree(_vectors(*reference)) for reference, _ in images]
    chord = 2 * np.sin(np.radians(RADIUS_ARCSEC / 3600) / 2)

    def over_images(way: Callable[[int, Sky, Sky], object]) -> None:
        for _ in range(PASSES):
            for i, (reference, sources) in enumerate(images):
                way(i, reference, sources)

    ways: dict[str, Callable[[int, Sky, Sky], Any]] = {
        "grid built": lambda _, reference, sources: SkyGrid(*reference).nearest(*sources),
        "grid reused": lambda i, _, sources: grids[i].nearest(*sources),
        "astropy": lambda _, reference, sources: _astropy(reference, sources),
        "cKDTree reused": lambda i, _, sources: trees[i].query(
            _vectors(*sources), distance_upper_bound=chord * (1 + 1e-9)
        ),
    }
    for i, (reference, sources) in enumerate(images):
        index, separation = grids[i].nearest(*sources)
        _check(index, separation, *_astropy(reference, sources))
        assert (index == SkyGrid(*reference).nearest(*sources)[0]).all()
    contenders: dict[str, Contender] = {w: partial(over_images, ways[w]) for w in ways}
    seconds = in_turn(contenders, rounds)
    for way in ways:
        each = float(np.median(seconds[way])) / rows / IMAGES / PASSES
        result.figures[f"image, {way}, ns a source"] = each * 1e9
    result.ratios += [
        Ratio(f"image, {ours}, against {peer}", times_faster(seconds, ours, peer), goal)
        for ours, peer, goal in (
            ("grid built", "astropy", 12),
            ("grid reused", "astropy", 20),
            ("grid reused", "cKDTree reused", 6),
        )
    ]


def catalogues(result: Result, folder: Path, rows: int, rounds: int) -> None:
    """A catalogue all over the sky on another, a fifth as long."""
    left, right = _catalogues(rows)
    ids = {"left": np.arange(rows), "right": np.arange(right[0].size)}
    expected = _matched(*_nearest(left, right))
    paths = _write(folder, {"left": left, "right": right}, ids)
    result.peak_memory_mb = _product_memory(paths["fits"], folder / "memory.parquet", expected)

    out = folder / "out.parquet"
    shuffled_left, shuffled_right = _shuffled(left), _shuffled(right)
    contenders: dict[str, Contender] = {
        "kernel": lambda: _nearest(left, right),
        "astropy": lambda: _astropy(right, left),
        "kernel, all cores": lambda: _nearest(left, right, available_cores()),
        "kernel, shuffled": lambda: _nearest(shuffled_left, shuffled_right),
        "astropy, shuffled": lambda: _astropy(shuffled_right, shuffled_left),
        "product, FITS": lambda: _product(*paths["fits"], out),
        "product, Parquet": lambda: _product(*paths["parquet"], out),
    }
    _check(*_nearest(left, right, available_cores()), *_astropy(right, left))
    _check(*_nearest(shuffled_left, shuffled_right), *_astropy(shuffled_right, shuffled_left))
    claims = [("kernel", "astropy", 30.0), ("kernel, shuffled", "astropy, shuffled", 30.0)]
    for form in ("fits", "parquet"):
        _product(*paths[form], out)
        assert _pairs(pl.read_parquet(out)).equals(expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if _add_lsdb(contenders, folder, {"left": left, "right": right}, ids, expected):
            claims.append(("product, HATS", "LSDB warm", 6.0))
        else:
            result.missing.append("LSDB")
        if _add_stilts(contenders, folder, paths["fits"], expected):
            claims.append(("product, FITS", "STILTS", 15.0))
        else:
            result.missing.append("STILTS")
        # Every contender has run once by now, for its answer.
        seconds = in_turn(contenders, rounds, warm=False)
    for way in contenders:
        each = float(np.median(seconds[way])) / rows
        result.figures[f"catalogues, {way}, ns a left row"] = each * 1e9
    result.ratios += [
        Ratio(f"catalogues, {ours}, against {peer}", times_faster(seconds, ours, peer), goal)
        for ours, peer, goal in claims
    ]


# --- skies --------------------------------------------------------------------------------------


def _image(rng: np.random.Generator, rows: int, n_references: int) -> tuple[Sky, Sky]:
    """A reference, and sources of which three quarters are in it, on a quadrant."""
    ra = 58.0 + rng.uniform(-0.43, 0.43, n_references) / np.cos(np.radians(35.7))
    dec = 35.7 + rng.uniform(-0.43, 0.43, n_references)
    chosen = rng.permutation(n_references)[:rows]
    jitter = rng.normal(0, 0.15 / 3600, (2, rows))
    sources = ra[chosen] + jitter[0], dec[chosen] + jitter[1]
    strays = slice(0, rows // 4)
    sources[0][strays] += 20 / 3600
    return (ra, dec), sources


def _catalogues(rows: int) -> tuple[Sky, Sky]:
    """Left and right: nine tenths of the left rows lie about a right row."""
    rng = np.random.default_rng(2)
    right = _all_over_the_sky(rng, max(rows // 5, 1))
    chosen = rng.integers(0, right[0].size, rows)
    dec = np.clip(right[1][chosen] + rng.normal(0, 0.3 / 3600, rows), -90, 90)
    ra = right[0][chosen] + rng.normal(0, 0.3 / 3600, rows) / np.cos(np.radians(dec))
    strays = slice(0, rows // 10)
    ra[strays], dec[strays] = _all_over_the_sky(rng, rows // 10)
    return _in_order(ra % 360, dec), _in_order(*right)


def _all_over_the_sky(rng: np.random.Generator, n: int) -> Sky:
    return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


def _in_order(ra: Floats, dec: Floats) -> Sky:
    order = np.argsort(healpix_key(ra, dec), kind="stable")
    return ra[order], dec[order]


def _shuffled(sky: Sky) -> Sky:
    order = np.random.default_rng(3).permutation(sky[0].size)
    return sky[0][order], sky[1][order]


# --- contenders ---------------------------------------------------------------------------------


def _nearest(left: Sky, right: Sky, workers: int = 1) -> tuple[Any, Floats]:
    return SkyGrid(*right, RADIUS_ARCSEC).nearest(*left, RADIUS_ARCSEC, workers=workers)


def _product(left: Path, right: Path, out: Path) -> None:
    """To a new file: to replace one, ext4 first waits until the new one has its place on disk."""
    out.unlink(missing_ok=True)
    crossmatch(left, right, out)


def _astropy(right: Sky, left: Sky) -> tuple[Any, Floats]:
    from astropy.coordinates import SkyCoord

    sources, reference = SkyCoord(*left, unit="deg"), SkyCoord(*right, unit="deg")
    index, separation, _ = sources.match_to_catalog_sky(reference)
    return index, separation.arcsec


def _vectors(ra: Floats, dec: Floats) -> Floats:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def _write(
    folder: Path, skies: dict[str, Sky], ids: dict[str, NDArray[np.int64]]
) -> dict[str, tuple[Path, Path]]:
    """Both catalogues as Parquet and as FITS."""
    from astropy.table import Table

    for side, (ra, dec) in skies.items():
        columns = {"objid": ids[side], "ra": ra, "dec": dec}
        pl.DataFrame(columns).write_parquet(folder / f"{side}.parquet")
        Table(columns).write(folder / f"{side}.fits")
    return {
        form: (folder / f"left.{form}", folder / f"right.{form}") for form in ("parquet", "fits")
    }


def _add_lsdb(
    contenders: dict[str, Contender],
    folder: Path,
    skies: dict[str, Sky],
    ids: dict[str, NDArray[np.int64]],
    expected: pl.DataFrame,
) -> bool:
    """The product and LSDB on HATS catalogues that LSDB wrote, opened before; False without it."""
    try:
        import lsdb
        import pandas as pd
    except ImportError:
        return False
    for side, (ra, dec) in skies.items():
        frame = pd.DataFrame({"objid": ids[side], "ra": ra, "dec": dec})
        made = lsdb.from_dataframe(frame, partition_rows=PARTITION_ROWS, margin_threshold=5.0)
        made.write_catalog(folder / side, catalog_name=side, progress_bar=False)
    left, right = lsdb.open_catalog(folder / "left"), lsdb.open_catalog(folder / "right")
    out = folder / "hats.parquet"

    def theirs() -> Any:
        return left.crossmatch(right, radius_arcsec=RADIUS_ARCSEC, suffixes=("_l", "_r")).compute()

    def ours() -> None:
        _product(folder / "left", folder / "right", out)

    found = theirs()
    pairs = {"left_id": found["objid_l"].to_numpy(), "right_id": found["objid_r"].to_numpy()}
    assert _pairs(pl.DataFrame(pairs)).equals(expected)
    ours()
    assert _pairs(pl.read_parquet(out)).equals(expected)
    contenders |= {"product, HATS": ours, "LSDB warm": theirs}
    return True


def _add_stilts(
    contenders: dict[str, Contender],
    folder: Path,
    paths: tuple[Path, Path],
    expected: pl.DataFrame,
) -> bool:
    """STILTS on the FITS tables; False where it is not installed."""
    stilts = shutil.which("stilts")
    if stilts is None:
        return False
    out = folder / "stilts.fits"
    command = [
        stilts, "-Xmx8g", "tmatch2", f"in1={paths[0]}", f"in2={paths[1]}", "matcher=sky",
        f"params={RADIUS_ARCSEC}", "values1=ra dec", "values2=ra dec", "find=best1", "join=1and2",
        "ocmd=keepcols 'objid_1 objid_2 Separation'", f"out={out}", "progress=none",
    ]  # fmt: skip

    def run() -> None:
        subprocess.run(command, check=True, capture_output=True)

    run()
    from astropy.table import Table

    found = Table.read(out)
    pairs = {"left_id": np.array(found["objid_1"]), "right_id": np.array(found["objid_2"])}
    native = {name: column.astype(np.int64) for name, column in pairs.items()}
    assert _pairs(pl.DataFrame(native)).equals(expected)
    contenders["STILTS"] = run
    return True


def _product_memory(paths: tuple[Path, Path], out: Path, expected: pl.DataFrame) -> float:
    """Peak resident memory of the command in a process of its own, MB."""
    command = [sys.executable, "-m", "nightlake.cli", "crossmatch", *map(str, paths)]
    child = subprocess.Popen([*command, "--quiet", "--out", str(out)])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    assert _pairs(pl.read_parquet(out)).equals(expected)
    return usage.ru_maxrss / 1024


# --- answers ------------------------------------------------------------------------------------


def _matched(index: Any, separation: Floats) -> pl.DataFrame:
    """Pairs of rows from the nearest of each left row."""
    row = np.flatnonzero(index >= 0)
    return pl.DataFrame({"left_id": row, "right_id": index[row].astype(np.int64)})


def _pairs(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col("left_id", "right_id").cast(pl.Int64)).sort("left_id")


def _check(index: Any, separation: Floats, theirs: Any, angle: Floats) -> None:
    """A fast wrong answer fails: every id, separations to 1e-6″."""
    near = angle <= RADIUS_ARCSEC
    assert (index == np.where(near, theirs, -1)).all()
    assert near.any()
    assert np.abs(separation[near] - angle[near]).max() < 1e-6


if __name__ == "__main__":
    main()
