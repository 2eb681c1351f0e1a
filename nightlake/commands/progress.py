"""Progress and reports of the verbs that change an archive."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from nightlake.errors import Exit

if TYPE_CHECKING:
    from ingest.report import GroupReport, IngestReport, Progress, Refusal
    from nightlake.archive import Archive


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress | None]:
    """A bar on stderr, where that is a terminal; None elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, object] = {}

        def show(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

        yield show


# Measured: a cone search takes 7 times as long with 30 files a pixel, 13 times with 300.
MANY_FILES = 30


def tell_crowded(archive: Archive) -> None:
    """A hint, where a pixel holds many files."""
    from store.standing import most_files

    if (most := most_files(archive.snapshot)) > MANY_FILES:
        click.echo(f"a pixel holds {most} files: nightlake compact makes one of them")


def tell_refusals(refusals: tuple[Refusal, ...]) -> None:
    """One line on stderr for every refused input."""
    for refusal in refusals:
        click.echo(f"refused: {refusal}", err=True)


def _line(group: GroupReport, what: str) -> dict[str, object]:
    return {
        what: group.name,
        "outcome": group.outcome,
        "images": group.images,
        "unchanged": group.unchanged,
        "removed": group.removed,
        "rows": group.rows,
        "matched": f"{group.matched / group.rows:.1%}" if group.matched else "–",
    }


def tell_report(report: IngestReport, what: str, quiet: bool) -> Exit:
    """Print what an ingest did; `what` is what its groups are. Returns how the command ends."""
    tell_refusals(report.refusals)
    if not quiet:
        import polars as pl

        from products.tables import print_table

        frame = pl.DataFrame([_line(group, what) for group in report.groups])
        if what != "night" and not frame.is_empty():
            frame = frame.drop("matched")  # nothing is matched when references come
        if not any(group.removed for group in report.groups) and not frame.is_empty():
            frame = frame.drop("removed")
        if not frame.is_empty():
            print_table(frame, max_rows=None)
        if alone := sum(group.without_reference for group in report.groups):
            click.echo(
                f"{alone:,} of the images have no reference and no ids: "
                "add-references, then rematch"
            )
        if kept := sum(group.kept for group in report.groups):
            click.echo(f"{kept:,} images stay as they were published: their files were refused")
        rate = f", {report.rows / report.seconds:,.0f} rows/s" if report.rows else ""
        click.echo(
            f"{report.rows:,} rows in {report.seconds:.1f} s{rate}; "
            f"{len(report.refusals)} refusals; publication {report.publication}"
        )
    if report.nothing_done:
        return Exit.NOTHING
    return Exit.REFUSALS if report.refusals else Exit.DONE
