"""Sections of what was counted: the night by filter, refusals, match rate, images to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from products.report.data import ARCSEC_PER_PIXEL
from products.report.section import (
    Section,
    Table,
    clock,
    command,
    command_line,
    counted,
    have,
    listed,
    median,
    number,
    percent,
)
from products.report.verdict import exposures_to_look_at

if TYPE_CHECKING:
    from products.report.data import NightData

# With references that are deeper than single images, as ZTF's are.
LEAST_MATCHED = 0.9
RANKED = 20
_REFUSED = ("input", "what is wrong, and what to do", "refused")


def by_filter_section(data: NightData) -> Section:
    """What came in, filter by filter."""
    rows = [
        [
            row["filtercode"],
            f"{row['n_exposures']:,}",
            f"{row['n_images']:,}",
            f"{row['n_bad_images']:,}",
            f"{row['n_published']:,}",
            percent(row["matched_fraction"]),
            number(row["median_airmass"]),
            number(None if row["median_seeing"] is None
                   else row["median_seeing"] * ARCSEC_PER_PIXEL, 1),
            number(row["median_limitmag"]),
            number(row["median_magzp"]),
        ]
        for row in data.tonight.iter_rows(named=True)
    ]  # fmt: skip
    before = data.before["night"].n_unique()
    record = data.record
    usual = data.before.group_by("night").agg(pl.col("n_images").sum())["n_images"]
    seen = (
        f"{counted(record.get('n_images', 0), 'image')} of "
        f"{counted(record.get('n_exposures', 0), 'exposure')}"
    )
    if rows:
        seen += f", {clock(record['first_obsmjd'])} to {clock(record['last_obsmjd'])} UTC"
    if before:
        seen += f"; {counted(before, 'night')} before it had {median(usual) or 0:,.0f}"
        seen += " images in the median"
    return Section(
        key="counts",
        title="The night by filter",
        status="none" if rows else "look",
        seen=f"{seen}.",
        good="As many images as the plan of the night asks for, of which none or few were judged "
        "bad. Airmass, seeing, limit and zero point are medians of the good images.",
        remedy="Images that are missing were not given, or were refused: compare with the night's "
        "log, then ingest the folder again; what is published already is not read twice.",
        tables=[Table(
            ["filter", "exposures", "images", "bad", "detections", "matched", "airmass",
             "seeing ″", "limit mag", "zero point"],
            rows, words=["filter"],
        )] if rows else [],
        broad=True,
        queries=[command(data, "night_summary", night=data.night)],
    )  # fmt: skip


def refusals_section(data: NightData) -> Section:
    """What was refused, and why."""
    rows = [
        [
            row["input_file"],
            f"{row['what']}. {row['hint']}",
            "the file" if row["n_rows"] is None else counted(row["n_rows"], "row"),
        ]
        for row in data.refusals.iter_rows(named=True)
    ]
    files = data.refusals["input_file"].n_unique()
    lost = int(data.refusals["n_rows"].sum())
    whole = data.refusals["n_rows"].null_count()
    parts = [f"{counted(whole, 'file')} as a whole"] * (whole > 0)
    parts += [f"{counted(lost, 'row')} of others"] * (lost > 0)
    return Section(
        key="refusals",
        title="Refused inputs",
        status="look" if rows else "good",
        seen=f"{counted(files, 'input')}: {listed(parts)}." if parts else "Nothing was refused.",
        good="An empty list.",
        remedy="Each line says what is wrong with a file and what to do; give it again with "
        "nightlake ingest when it is mended. The rest of the night is published without it.",
        tables=[Table(_REFUSED, rows, sentences=_REFUSED[:2], shown=8)] * bool(rows),
        broad=True,
        queries=[
            command(data, "refusals", night=data.night),
            # Those too whose night is known by their names alone.
            command_line(data, "refusals"),
        ],
    )  # fmt: skip


def match_section(data: NightData) -> Section:
    """How many detections found their reference source."""
    ranked = data.by_field.sort("matched_fraction", "field", "filtercode", nulls_last=True)
    rows = [
        [
            f"{row['field']}", row["filtercode"], percent(row["matched_fraction"]),
            percent(row["min_matched_fraction"]), f"{row['n_published'] or 0:,}",
            f"{row['n_images']:,}", f"{row['n_without_reference']:,}", f"{row['worst_pid'] or '–'}",
        ]
        for row in ranked.iter_rows(named=True)
    ]  # fmt: skip
    total, matched = (int(ranked[name].sum()) for name in ("n_published", "n_matched"))
    missing, stale = int(ranked["n_without_reference"].sum()), data.record.get("n_stale", 0)
    fraction = matched / total if total else None
    low = ranked.filter(pl.col("matched_fraction") < LEAST_MATCHED).height
    seen = [f"{percent(fraction)} of {counted(total, 'detection')} matched"] * (total > 0)
    seen += [f"{have(missing, 'image')} no reference catalogue"] * (missing > 0)
    seen += [f"{counted(stale, 'image')} to be rematched"] * (stale > 0)
    return Section(
        key="match",
        title="Match rate",
        status="none" if not rows else "look" if low or missing or stale else "good",
        seen=f"{'; '.join(seen)}." if seen else "There are no detections.",
        good=f"Every field above {LEAST_MATCHED:.0%}, in every filter; the worst field is first.",
        remedy="A field that is low as a whole has shallow or wrong references; a single image, "
        "wrong astrometry. Without a catalogue: nightlake add-references, then nightlake rematch.",
        tables=[Table(
            ["field", "filter", "matched", "worst", "detections", "images", "unreferenced",
             "worst image (pid)"],
            rows, words=["filter"], shown=6,
        )] if rows else [],
        queries=[command(data, "match_rate", night=data.night)],
    )  # fmt: skip


def worst_section(data: NightData) -> Section:
    """The images to look at, exposure by exposure."""
    exposures = exposures_to_look_at(data)
    rows = [
        [
            clock(row["obsmjd"]), row["filtercode"], f"{row['n_odd']} of {row['n_images']}",
            row["reason"], "bad" if row["is_bad"] else "unusual", f"{row['field']}",
            f"{row['expid']}",
        ]
        for row in exposures.iter_rows(named=True)
    ]  # fmt: skip
    odd, bad = data.to_look_at.height, int(data.to_look_at["is_bad"].sum())
    seen = (
        f"{counted(odd, 'image')} of {counted(exposures.height, 'exposure')}: {bad:,} judged bad, "
        f"{odd - bad:,} unusual."
        if odd
        else "No image was judged bad or stands out."
    )
    return Section(
        key="worst",
        title="Images to look at",
        status="look" if odd else "good",
        seen=seen,
        good="No image, or single ones. Bad images are left out of light curves by themselves; "
        "unusual ones (shallow, clouded, blurred, unmatched) are not.",
        remedy="List the images with the first line below; the second ranks all images of the "
        "night by quality. Open the pictures of a few: a whole exposure is weather or tracking, "
        "one quadrant in many exposures is its detector.",
        tables=[
            Table(
                ["UTC", "filter", "images", "first reason", "verdict", "field", "expid"],
                rows,
                words=["filter", "verdict"], sentences=["first reason"], shown=10,
            ),
            _ranking(data),
        ] if rows else [],
        broad=True,
        queries=[
            command(data, "images_to_look_at", night=data.night),
            command(data, "images_by_quality", night=data.night, limit=max(odd, 20)),
        ],
    )  # fmt: skip


def _ranking(data: NightData) -> Table:
    """The worst images themselves, folded away."""
    rows = [
        [
            f"{row['pid']}", clock(row["obsmjd"]), row["filtercode"], f"{row['rcid']}",
            number(row["limitmag"]), number(row["seeing"]), number(row["magzp"]),
            percent(row["matched_fraction"]), row["reasons"], row["input_file"],
        ]
        for row in data.to_look_at.head(RANKED).iter_rows(named=True)
    ]  # fmt: skip
    return Table(
        ["pid", "UTC", "filter", "rcid", "limit mag", "seeing px", "zero point", "matched",
         "reasons", "file"],
        rows, words=["filter", "file"], sentences=["reasons"],
        shown=0, folded="The {} worst, image by image",
    )  # fmt: skip
