"""nightlake init"""

from __future__ import annotations

from pathlib import Path

import click

from store.errors import StoreError
from store.settings import ArchiveSettings, SiteSettings

_DEFAULTS = ArchiveSettings()


@click.command("init", short_help="Create an archive.")
@click.argument("archive", envvar="NIGHTLAKE_ARCHIVE", type=click.Path(path_type=Path))
@click.option(
    "--partition-order",
    default=_DEFAULTS.partition_order,
    show_default=True,
    metavar="K",
    help="HEALPix order of the partition: 5 is 12,288 pixels of 1.8 degrees.",
)
@click.option(
    "--match-radius-arcsec",
    default=_DEFAULTS.match_radius_arcsec,
    show_default=True,
    metavar="R",
    help="Largest separation of a detection from its reference source.",
)
@click.option(
    "--night-offset-hours",
    default=_DEFAULTS.night_offset_hours,
    show_default=True,
    metavar="H",
    help="Added to an exposure's UTC before its date is taken as the night.",
)
@click.option(
    "--margin",
    "margin_arcsec",
    default=_DEFAULTS.margin_arcsec,
    show_default=True,
    metavar="ARCSEC",
    help="Rows this near to another pixel are kept beside it too, for LSDB; 0: none are.",
)
@click.option(
    "--scale-limit",
    "scale_limit_percent",
    default=_DEFAULTS.scale_limit_percent,
    show_default=True,
    metavar="PERCENT",
    help="An image whose pixel scale is further off its prior's is judged bad.",
)
@click.option(
    "--site-xyz",
    nargs=3,
    type=float,
    metavar="X Y Z",
    help="Geocentric position of the telescope, metres.  [default: Palomar]",
)
@click.option("--site-name", metavar="NAME", help="Name of that site.")
@click.option("--name", default="nightlake", show_default=True, help="Name of the archive.")
def command(
    archive: Path,
    partition_order: int,
    match_radius_arcsec: float,
    night_offset_hours: float,
    margin_arcsec: float,
    scale_limit_percent: float,
    site_xyz: tuple[float, float, float] | None,
    site_name: str | None,
    name: str,
) -> None:
    """Create an empty archive in the new or empty folder ARCHIVE.

    Its settings are kept in ARCHIVE/archive.json and hold for good.

    \b
    Examples:
      nightlake init /data/ztf
      nightlake init /data/other --site-xyz 1825000 -5055000 -3427000 --site-name ctio
    """
    from store.publication import create_archive

    if site_xyz and not site_name:
        raise click.UsageError("--site-xyz needs --site-name.")
    if site_name and not site_xyz:
        raise click.UsageError("--site-name needs --site-xyz.")
    site = SiteSettings(site_name, *site_xyz) if site_xyz and site_name else SiteSettings()
    try:
        settings = ArchiveSettings(
            name=name,
            partition_order=partition_order,
            match_radius_arcsec=match_radius_arcsec,
            night_offset_hours=night_offset_hours,
            margin_arcsec=margin_arcsec,
            scale_limit_percent=scale_limit_percent,
            site=site,
        )
    except StoreError:
        raise
    except ValueError as error:
        raise click.UsageError(f"{error}.") from error
    create_archive(archive.absolute(), settings)
    click.echo(f"{archive}: created, partition order {partition_order}, site {site.name}")
