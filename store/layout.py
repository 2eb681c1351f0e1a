"""Every path of an archive, spelled once.

    ARCHIVE/
    ├── archive.json                    what the archive is: format, partition, site, settings
    ├── current -> publications/000007  what is published: the one link that is ever replaced
    ├── collection.properties -> current/archive.properties     the archive, as LSDB opens it
    ├── detections -> current/detections                        HATS catalogues by themselves
    ├── reference_sources -> current/reference_sources          (lightcurves, objects likewise)
    ├── publications/000007/            one state of the archive, never changed
    │   ├── publication.json            parent, partition, manifests, rows
    │   ├── collection.properties       detections, their margin, the index of their ids
    │   ├── detections/                 properties, partition_info.csv, point_map.fits
    │   │   └── dataset/Norder=5/Dir=0/Npix=123 -> a pixel folder
    │   ├── detections_margin/          rows near a pixel, beside it
    │   ├── detections_index/           pixels of each id: dataset -> a folder of links
    │   ├── reference_sources/
    │   ├── lightcurves/  objects/      HATS catalogues, once they are built
    │   ├── imported_lightcurves/       what people had already
    │   ├── lightcurve_index/  lightcurve_images/   what leads to their rows, by the same pixels
    │   └── images/20240110.parquet -> a data file  (exposures, nights, … likewise)
    ├── manifests/nights/20240110-<checksum>.json       the files of one group
    ├── manifests/periods/20240110-20240209-<checksum>.json     nights that were compacted
    ├── manifests/imports/dr19-<file>-<checksum>.json   one file of light curves
    ├── manifests/matchfiles/ztf-<file>-<checksum>.json one matchfile
    ├── manifests/lightcurves/2-17-<checksum>.json      what was built of a part of the sky
    ├── pixels/detections/5/123-<checksum>/20240110.parquet -> a data file
    ├── data/detections/20240110/5-123-<checksum>.parquet
    ├── staging/20240110/               work in progress; gone once published
    ├── scratch/                        spill and caches of running processes
    └── locks/

A data file, a manifest and a pixel folder carry the checksum of their content in their name, so
that the same content is written once and is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FORMAT_VERSION = 3
HEALPIX_ORDER = 29
DEFAULT_PARTITION_ORDER = 5
# Of point maps: 0.23 degrees. HATS cuts a search by them; finer ones find no pixel less to open.
MAP_ORDER = 8
# HATS catalogues by name; with their margin; and all tables that are cut by pixel.
CATALOGUES = (
    "detections", "reference_sources", "lightcurves", "objects", "imported_lightcurves"
)  # fmt: skip
# Those that stay at the base order, however deep the pixels of detections are split.
UNSPLIT = ("reference_sources", "imported_lightcurves")
MARGIN = "detections_margin"
SPATIAL_TABLES = (*CATALOGUES, MARGIN)
# What `nightlake build ARCHIVE lightcurves` makes of each pixel.
LIGHTCURVE_TABLES = ("lightcurves", "lightcurve_index", "lightcurve_images", "objects")
PIXEL_TABLES = (*SPATIAL_TABLES, "lightcurve_index", "lightcurve_images")
INDEX = "detections_index"


@dataclass(frozen=True, slots=True, order=True)
class HealpixPixel:
    """One pixel of the HEALPix sphere, NESTED numbering."""

    order: int
    npix: int

    @property
    def hats_path(self) -> str:
        """Where HATS keeps it, below a catalogue's `dataset` folder."""
        return f"Norder={self.order}/Dir={self.npix // 10_000 * 10_000}/Npix={self.npix}"

    @property
    def index_range(self) -> tuple[int, int]:
        """First `_healpix_29` inside it, and the first one past it."""
        shift = 2 * (HEALPIX_ORDER - self.order)
        return self.npix << shift, (self.npix + 1) << shift


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of the archive at `root`."""

    root: Path

    @property
    def settings(self) -> Path:
        """What the archive is."""
        return self.root / "archive.json"

    @property
    def init_mark(self) -> Path:
        """Says that `init` was begun and not finished: it is gone afterwards."""
        return self.root / ".nightlake-init"

    @property
    def current(self) -> Path:
        """The link to what is published."""
        return self.root / "current"

    @property
    def publications(self) -> Path:
        """One folder a publication."""
        return self.root / "publications"

    def publication(self, number: int) -> Path:
        """The folder of one publication."""
        return self.publications / f"{number:06d}"

    @property
    def manifests(self) -> Path:
        """The lists of files, one folder a kind of group."""
        return self.root / "manifests"

    def manifest(self, group: str, checksum: str) -> Path:
        """The list of files of one group, for example nights/20240110."""
        return self.manifests / f"{group}-{checksum[:16]}.json"

    @property
    def pixels(self) -> Path:
        """Folders of links to the files of one pixel, by table and order."""
        return self.root / "pixels"

    def pixel_folder(self, table: str, pixel: HealpixPixel, checksum: str) -> Path:
        """The folder of links to the files of one pixel."""
        name = f"{pixel.npix}-{checksum[:16]}"
        return self.pixels / table / str(pixel.order) / name

    @property
    def data(self) -> Path:
        """The Parquet files, one folder a table."""
        return self.root / "data"

    def index_folder(self, checksum: str) -> Path:
        """The folder of links to the files of the index of ids, and what lists their contents."""
        return self.pixels / INDEX / "oid" / checksum[:16]

    def catalogue_folder(self, table: str, checksum: str) -> Path:
        """The folder of a table of light curves as of one build."""
        return self.pixels / table / "catalogue" / checksum[:16]

    def data_folder(self, table: str, part: str) -> Path:
        """The folder of a spatial table's files of one part: a night, a reference channel."""
        return self.data / table / part

    def staging(self, group: str) -> Path:
        """Work in progress on one group."""
        return self.root / "staging" / group.replace("/", "-")

    @property
    def scratch(self) -> Path:
        """Spill and caches of running processes."""
        return self.root / "scratch"

    def lock(self, name: str) -> Path:
        """The file that a writer of `name` holds locked."""
        return self.root / "locks" / name.replace("/", "-")

    def relative(self, path: Path) -> str:
        """`path` as written in manifests: below the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()
