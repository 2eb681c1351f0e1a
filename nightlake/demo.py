"""`make demo`: nights simulated, ingested and asked, with an RR Lyrae recovered against its truth.

It ends with the light-curve product and with the report of the last night.

    python -m nightlake.demo FOLDER [--small]

FOLDER/raw gets the simulated files, FOLDER/archive the archive, FOLDER/*.png the pictures,
FOLDER/report-2024-02-20.html the report.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nightlake.archive import Archive
from products.canvas import prepare, save
from products.matchfile.tree import tree
from queries.named import query
from simulate.plan import SurveyPlan
from simulate.survey import simulate_survey
from simulate.variables import BAND_FACTORS, RRLYRAE, magnitude_change
from store.errors import NightlakeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Spread over six weeks, so that the aliases of a period fall away.
NIGHTS = tuple(
    date(2024, month, day)
    for month, day in ((1, 10), (1, 11), (1, 12), (1, 15), (1, 19), (1, 26), (2, 6), (2, 20))
)
FULL = SurveyPlan(
    nights=NIGHTS,
    fields=(655,),
    exposures_per_night=3,
    sources_per_quadrant=1000,
    bad_fraction=0.1,
)
SMALL = SurveyPlan(
    nights=NIGHTS, fields=(655,), channels=(27,), exposures_per_night=3, sources_per_quadrant=400
)
FILTERS = {"zg": "g", "zr": "r"}
MARKER = ".nightlake-demo"


@dataclass(frozen=True, slots=True)
class Star:
    """A simulated RR Lyrae: what is true of it."""

    ra: float
    dec: float
    period_d: float
    epoch_hmjd: float
    amplitude_mag: float
    mean_mag: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when all of it worked."""
    parser = argparse.ArgumentParser(prog="python -m nightlake.demo", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="a hundredth of the data")
    options = parser.parse_args(arguments)
    try:
        run(options.folder, SMALL if options.small else FULL)
    except NightlakeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def run(folder: Path, plan: SurveyPlan) -> None:
    """The demo, step by step; each says what it did and how long it took."""
    started = time.monotonic()
    raw, root = _fresh(folder)

    clock = time.monotonic()
    survey = simulate_survey(raw, plan)
    _say(f"simulated {survey.n_rows:,} detections in {survey.n_images:,} images", clock)

    clock = time.monotonic()
    with Archive.create(root, name="demo") as archive:
        references = archive.add_references(raw / "ref")
        sources = f"{references.rows:,} reference sources"
        _say(f"added {sources} in {survey.n_references:,} reference images", clock)
        clock = time.monotonic()
        report = archive.ingest(raw / "sci")
        _say(f"ingested {report.rows:,} detections in {len(report.groups):,} nights", clock)
        clock = time.monotonic()
        built = archive.build("lightcurves")
        _say(f"built the light curves of {built.objects:,} objects", clock)
        print("\nThe nights, as SQL sees them:\n")
        with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_rows=20):
            print(archive.sql(SUMMARY))

        prepare(archive.snapshot.layout.scratch, folder)
        star = find_star(survey.sources_truth)
        # The truth is on the standard system: the colour term is part of the way there.
        curve = archive.lightcurve(cone=(star.ra, star.dec, 1.5)).with_columns(
            mag=pl.col("mag") + pl.col("clrcorr")
        )
        print(f"\nAn RR Lyrae at {star.ra:.6f} {star.dec:+.6f}: {curve.height} detections.")
        period_d, rms = recover(curve, star)
        print(f"  period found  {period_d:.6f} d")
        off_s = abs(period_d - star.period_d) * 86400
        print(f"  period true   {star.period_d:.6f} d, {off_s:.1f} s off")
        print(f"  scatter about the true light curve, in units of the errors: {rms:.2f}")
        save(draw_star(curve, star, period_d), folder / "rr_lyrae.png")
        save(draw_map(archive, plan.nights[0]), folder / "night.png")
        page = archive.report(out=folder / f"report-{plan.nights[-1]}.html")
        made = archive.matchfile(plan.fields[0], "zr", 7, 4, out=folder / "matchfiles")
    print(f"\nLight curves of one quadrant as a matchfile, in {made.path.parent}:")
    print(tree(made.path))
    print(f"\nReport:   {page} (open it in a browser)")
    print(f"Pictures: {folder / 'rr_lyrae.png'}, {folder / 'night.png'}")
    print(f"Ask on:   .venv/bin/nightlake lightcurve {root} --cone {star.ra:.5f} {star.dec:.5f} 2")
    print(f'          .venv/bin/nightlake sql {root} "select * from nights"')
    print(f"Serve it: .venv/bin/nightlake serve {root} (or: make serve)")
    print(f"All of it took {time.monotonic() - started:.0f} s.")


SUMMARY = """
select night, n_exposures as exposures, n_images as images, n_bad_images as bad,
       n_published as detections, round(100.0 * n_matched / n_published, 1) as "matched %"
from nights order by night
"""


def _fresh(folder: Path) -> tuple[Path, Path]:
    """Empty places for raw files and archive; only what a demo made is ever removed."""
    if (folder / MARKER).exists():
        for name in ("raw", "archive", "matchfiles"):
            shutil.rmtree(folder / name, ignore_errors=True)
    elif folder.exists() and any(folder.iterdir()):
        raise NightlakeError("holds files that no demo made", where=folder, hint="Choose another.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    return folder / "raw", folder / "archive"


def _say(text: str, clock: float) -> None:
    print(f"{text:<64} {time.monotonic() - clock:5.1f} s")


def find_star(truth: Path) -> Star:
    """The simulated RR Lyrae that is brightest in r among those with references in both filters."""
    stars = pl.read_parquet(truth).filter(
        (pl.col("kind") == "rrlyrae")
        & pl.col("ref_sourceid_g").is_not_null()
        & pl.col("ref_sourceid_r").is_not_null()
        & (pl.col("mag_r") > 15.5)
    )
    row = stars.sort("mag_r").row(0, named=True)
    means = {code: row[f"mag_{band}"] for code, band in FILTERS.items()}
    return Star(
        row["ra"], row["dec"], row["period_d"], row["epoch_hmjd"], row["amplitude_mag"], means
    )


def recover(curve: pl.DataFrame, star: Star) -> tuple[float, float]:
    """The period that the detections alone give, and their scatter about the truth.

    Returns
    -------
    period : days, the highest peak of a multiband Lomb–Scargle periodogram of three terms.
    rms : root mean square of (magnitude − truth)/error, 1 for errors as given.
    """
    from astropy.timeseries import LombScargleMultiband

    good = curve.filter((pl.col("catflags") == 0) & pl.col("mag").is_not_null()).sort("hmjd")
    t, mag, error = (good[name].to_numpy().astype(float) for name in ("hmjd", "mag", "magerr"))
    model = LombScargleMultiband(
        t, mag, good["filtercode"].to_numpy(), error, nterms_base=3, nterms_band=1
    )
    frequency = np.arange(1.0, 3.0, 0.05 / (t[-1] - t[0]))
    coarse = frequency[np.argmax(model.power(frequency))]
    fine = coarse + np.linspace(-1, 1, 401) * 0.1 / (t[-1] - t[0])
    period_d = 1.0 / float(fine[np.argmax(model.power(fine))])
    expected = np.array(
        [true_magnitude(star, code, at) for code, at in zip(good["filtercode"], t, strict=True)]
    )
    rms = float(np.sqrt(np.mean(((mag - expected) / error) ** 2)))
    return period_d, rms


def true_magnitude(star: Star, filtercode: str, hmjd: float) -> float:
    """What the simulator made the star's magnitude."""
    band = list(FILTERS).index(filtercode)
    change = magnitude_change(
        RRLYRAE,
        np.array([[hmjd]]),
        np.array([star.period_d]),
        np.array([star.epoch_hmjd]),
        np.array([star.amplitude_mag * BAND_FACTORS[RRLYRAE][band]]),
    )
    return star.mean_mag[filtercode] + float(change[0, 0])


def draw_star(curve: pl.DataFrame, star: Star, period_d: float) -> Figure:
    """The folded light curve at the period found, with the truth drawn through it."""
    from products.plots import FILTER_COLOURS, draw_folded

    title = f"RR Lyrae at {star.ra:.4f} {star.dec:+.4f}, period {period_d:.5f} d"
    figure = draw_folded(curve, period_d, epoch_hmjd=star.epoch_hmjd, title=title)
    axes = figure.axes[0]
    phase = np.linspace(0, 2, 400)
    for code in FILTERS:
        truth = [true_magnitude(star, code, star.epoch_hmjd + p * star.period_d) for p in phase]
        axes.plot(phase, truth, color=FILTER_COLOURS[code], lw=1, alpha=0.6, zorder=1)
    return figure


def draw_map(archive: Archive, night: date) -> Figure:
    """The map of one night."""
    from products.night_map import draw_night_map

    frame = archive.sql(query("map_of_night").sql, night=night)
    return draw_night_map(frame, title=f"Night {night}")


if __name__ == "__main__":
    raise SystemExit(main())
