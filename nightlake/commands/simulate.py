"""nightlake simulate"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import click

from nightlake.commands.progress import progress_bar
from nightlake.commands.words import NIGHT
from store.channel import FILTER_IDS


@click.command("simulate", short_help="Write simulated nights in the real formats.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--night", "nights", type=NIGHT, multiple=True, required=True, metavar="DATE",
    help="A night; may be given several times.",
)  # fmt: skip
@click.option(
    "--field", "fields", type=int, multiple=True, metavar="N",
    help="A survey field; may be given several times.",
)  # fmt: skip
@click.option(
    "--channel", "channels", type=int, multiple=True, metavar="RCID",
    help="A readout channel, 0 to 63; may be given several times.  [default: all]",
)  # fmt: skip
@click.option(
    "--filter", "filters", type=click.Choice(list(FILTER_IDS)), multiple=True,
    default=("zg", "zr"), show_default=True, help="A filter; may be given several times.",
)  # fmt: skip
@click.option(
    "--exposures", default=2, show_default=True, metavar="N",
    help="Exposures of each field and filter in each night.",
)  # fmt: skip
@click.option(
    "--sources", default=2000, show_default=True, metavar="N", help="True sources per quadrant."
)
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option(
    "--sky", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="A real reference catalogue (refpsfcat) as the sky.",
)  # fmt: skip
@click.option(
    "--bad-fraction", default=0.0, show_default=True, metavar="F",
    help="Fraction of exposures that are unusable.",
)  # fmt: skip
@click.option(
    "--wrong-wcs", default=0, show_default=True, metavar="N",
    help="Images whose world coordinates go wrong in a corner.",
)  # fmt: skip
@click.option(
    "--header", type=click.Choice(["full", "minimal"]), default="full", show_default=True,
    help="Keywords in the catalogue, or in a science-image header beside it.",
)  # fmt: skip
@click.option("--no-flags", is_flag=True, help="Leave out the column flags, as in some of 2018.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--quiet", is_flag=True, help="Tell nothing.")
def command(
    folder: Path,
    nights: tuple[date, ...],
    fields: tuple[int, ...],
    channels: tuple[int, ...],
    filters: tuple[str, ...],
    exposures: int,
    sources: int,
    seed: int,
    sky: Path | None,
    bad_fraction: float,
    wrong_wcs: int,
    header: Literal["full", "minimal"],
    no_flags: bool,
    workers: int | None,
    quiet: bool,
) -> None:
    """Write simulated nights into FOLDER, in the survey's real formats, with a truth table.

    FOLDER/sci holds the catalogues to ingest, FOLDER/ref the reference catalogues and
    FOLDER/truth what is true.

    \b
    Examples:
      nightlake simulate sky --night 20240110 --night 20240111 --field 655 --channel 27
      nightlake simulate sky --night 20240110 --sky ztf_000633_zr_c07_q4_refpsfcat.fits
    """
    from simulate.plan import SurveyPlan
    from simulate.survey import simulate_survey

    plan = SurveyPlan(
        nights=nights,
        fields=fields,
        channels=channels,
        filters=tuple(FILTER_IDS[code] for code in filters),
        exposures_per_night=exposures,
        sources_per_quadrant=sources,
        seed=seed,
        sky=sky,
        bad_fraction=bad_fraction,
        wrong_wcs=wrong_wcs,
        header=header,
        flags=not no_flags,
    )
    with progress_bar(quiet) as bar:
        report = (lambda done, total: bar(done, total, "images")) if bar else None
        summary = simulate_survey(folder, plan, progress=report, workers=workers)
    if not quiet:
        click.echo(
            f"{summary.directory}: {summary.n_rows:,} rows in {summary.n_images:,} images of "
            f"{summary.n_exposures:,} exposures, {summary.n_references:,} reference catalogues "
            f"of {summary.n_reference_rows:,} rows"
        )
