"""The verdict of a night: the first sentence of its report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from products.report.section import Status, clock, counted, listed

if TYPE_CHECKING:
    from products.report.data import NightData

# What is said of single causes; the rest is counted.
_MOST_CAUSES = 3


@dataclass(frozen=True)
class Verdict:
    """`sentence` is the verdict, `because` what it rests on."""

    status: Status
    sentence: str
    because: str


def judge(data: NightData) -> Verdict:
    """Good, or images to look at, or inputs refused, or both."""
    images, odd = data.images.height, data.to_look_at.height
    refused = data.refusals["input_file"].n_unique()
    no_inputs = f"{counted(refused, 'input')} {'was' if refused == 1 else 'were'} refused"
    if not images:
        return Verdict("look", f"Nothing was published; {no_inputs}.", _refusals(data))
    if odd:
        what = f"all {counted(images, 'image')}" if odd == images > 1 else counted(odd, "image")
        sentence = f"Look at {what}{f'; {no_inputs}' if refused else ''}."
    elif refused:
        sentence = f"The images are good, but {no_inputs}."
    else:
        return Verdict("good", "A good night.", "No image stands out, and no input was refused.")
    because = " ".join(part for part in (_causes(data), _refusals(data)) if part)
    return Verdict("look", sentence, because)


def exposures_to_look_at(data: NightData) -> pl.DataFrame:
    """The images to look at, exposure by exposure, the worst first.

    Returns
    -------
    expid, obsmjd, field, filtercode, is_bad, n_odd, n_images, reason (the commonest of its images:
    why they were judged bad, else what is first unusual about them).
    """
    of_exposure = data.images.group_by("expid").agg(n_images=pl.len())
    return (
        data.to_look_at.with_row_index("rank")
        .join(data.images.select("pid", "bad_reason"), on="pid", how="left", maintain_order="left")
        .with_columns(
            first=pl.coalesce("bad_reason", pl.col("reasons").str.split(", ").list.first())
        )
        .group_by("expid", maintain_order=True)
        .agg(
            pl.col("rank").first(),
            pl.col("obsmjd", "field", "filtercode").first(),
            pl.col("is_bad").any(),
            n_odd=pl.len(),
            reason=pl.col("first").mode(maintain_order=True).first(),
        )
        .join(of_exposure, on="expid", how="left")
        .sort("is_bad", "n_odd", "rank", descending=[True, True, False])
    )


def _causes(data: NightData) -> str:
    if data.to_look_at.is_empty():
        return ""
    bad = int(data.to_look_at["is_bad"].sum())
    exposures = exposures_to_look_at(data)
    parts = [
        f"{'all' if row['n_odd'] == row['n_images'] else row['n_odd']} of the exposure of "
        f"{clock(row['obsmjd'])} in {row['filtercode']}"
        for row in exposures.head(_MOST_CAUSES).iter_rows(named=True)
    ]
    if exposures.height > _MOST_CAUSES:
        parts.append(f"others in {counted(exposures.height - _MOST_CAUSES, 'exposure')}")
    unusual = data.to_look_at.height - bad
    kinds = [f"{bad:,} judged bad"] * (bad > 0) + [f"{unusual:,} unusual"] * (unusual > 0)
    return f"{listed(kinds)}: {listed(parts)}."


def _refusals(data: NightData) -> str:
    if data.refusals.is_empty():
        return ""
    kinds = data.refusals["code"].value_counts(sort=True).sort("count", "code", descending=True)
    return (
        "Refused: "
        + ", ".join(
            f"{n:,} {code.replace('_', ' ')}" for code, n in kinds.head(_MOST_CAUSES).rows()
        )
        + "."
    )
