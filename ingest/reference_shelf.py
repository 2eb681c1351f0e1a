"""Reference catalogues at hand for matching, loaded from the store once a worker needs them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store.manifest import Manifest, references_group
from store.snapshot import Snapshot
from transforms.identifiers import FILTERCODES
from transforms.identifiers import oid as oid_of
from transforms.match import SkyGrid
from transforms.photometry import reference_colours
from transforms.sorting import RadixSorter

# A reference of 40,000 sources takes about 5 MB with its grid. Images come channel by channel, so
# that few are in use at a time: those of its filters.
KEPT = 8
G, R = 1, 2


def channel_part(field: int, fid: int, ccdid: int, qid: int) -> str:
    """Name of a reference channel's files, as in the file names of its survey: 000633_zr_c07_q4."""
    return f"{field:06d}_{FILTERCODES[fid]}_c{ccdid:02d}_q{qid}"


@dataclass(frozen=True)
class Reference:
    """One reference catalogue, sorted by sourceid.

    Attributes
    ----------
    checksum : of the input file it came from.
    oid : int64 (n,).
    ra, dec : float64 (n,), degrees.
    mag : float64 (n,), calibrated; NaN where unknown.
    """

    rfid: int
    checksum: str
    oid: NDArray[np.int64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    mag: NDArray[np.float64]
    radius_arcsec: float

    @cached_property
    def grid(self) -> SkyGrid:
        """The sources, ready to be matched to."""
        return SkyGrid(self.ra, self.dec, radius_arcsec=self.radius_arcsec)


class ReferenceShelf:
    """The reference catalogues of one snapshot; the last used are kept in memory."""

    def __init__(self, snapshot: Snapshot, radius_arcsec: float) -> None:
        self._snapshot = snapshot
        self._radius_arcsec = radius_arcsec
        self._manifests: dict[int, Manifest] = {}
        self._images: dict[int, dict[int, tuple[int, str]]] = {}
        self._kept: OrderedDict[str, Reference | None] = OrderedDict()
        self._colours: OrderedDict[
            tuple[int, int, int], tuple[NDArray[np.float64], NDArray[np.float64]] | None
        ] = OrderedDict()

    def get(self, field: int, fid: int, ccdid: int, qid: int) -> Reference | None:
        """The reference of a channel, or None if the archive has none."""
        part = channel_part(field, fid, ccdid, qid)
        if part not in self._kept:
            self._kept[part] = self._load(field, fid, ccdid, qid)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(part)
        return self._kept[part]

    def checksum(self, field: int, fid: int, ccdid: int, qid: int) -> str | None:
        """Checksum of the channel's reference, without loading it; None if there is none."""
        image = self._image(field, fid, ccdid, qid)
        return None if image is None else image[1]

    def _image(self, field: int, fid: int, ccdid: int, qid: int) -> tuple[int, str] | None:
        """Id and checksum of the channel's reference image."""
        if field not in self._images:
            self._images[field] = self._load_images(field)
        return self._images[field].get(fid * 100 + 4 * (ccdid - 1) + qid - 1)

    def colours(self, field: int, fid: int, ccdid: int, qid: int) -> NDArray[np.float64] | None:
        """g−r of each source of the channel's reference; NaN where the other filter has none.

        None without references of both filters, and for a filter that is neither.
        """
        if fid not in (G, R):
            return None
        channel = (field, ccdid, qid)
        if channel not in self._colours:
            g, r = (self.get(field, f, ccdid, qid) for f in (G, R))
            self._colours[channel] = None
            if g is not None and r is not None:
                self._colours[channel] = reference_colours(
                    g.ra, g.dec, g.mag, r.ra, r.dec, r.mag, radius_arcsec=self._radius_arcsec
                )
            if len(self._colours) > KEPT:
                self._colours.popitem(last=False)
        colours = self._colours[channel]
        return None if colours is None else colours[fid - G]

    def _manifest(self, field: int) -> Manifest:
        if field not in self._manifests:
            self._manifests[field] = self._snapshot.manifest(references_group(field))
        return self._manifests[field]

    def _load_images(self, field: int) -> dict[int, tuple[int, str]]:
        known: dict[int, tuple[int, str]] = {}
        for entry in self._manifest(field).files:
            if entry.table == "reference_images":
                table = pq.ParquetFile(self._snapshot.layout.root / entry.path).read(
                    ["fid", "rcid", "rfid", "input_checksum"]
                )
                for row in table.to_pylist():
                    known[row["fid"] * 100 + row["rcid"]] = row["rfid"], row["input_checksum"]
        return known

    def _load(self, field: int, fid: int, ccdid: int, qid: int) -> Reference | None:
        part = channel_part(field, fid, ccdid, qid)
        files = [
            self._snapshot.layout.root / entry.path
            for entry in self._manifest(field).files
            if entry.table == "reference_sources" and entry.part == part
        ]
        image = self._image(field, fid, ccdid, qid)
        if image is None or not files:
            return None
        # Few columns: the ids follow from the channel and the row in the catalogue.
        names = ("sourceid", "ra", "dec", "mag")
        tables = [pq.ParquetFile(path).read(list(names), use_threads=False) for path in files]
        columns = {
            name: np.concatenate([table[name].to_numpy() for table in tables]) for name in names
        }
        order, sourceid = RadixSorter().sort(columns["sourceid"].astype(np.int64))
        return Reference(
            rfid=image[0],
            checksum=image[1],
            oid=oid_of(field, fid, ccdid, qid, sourceid),
            ra=columns["ra"][order],
            dec=columns["dec"][order],
            mag=columns["mag"][order].astype(np.float64),
            radius_arcsec=self._radius_arcsec,
        )
