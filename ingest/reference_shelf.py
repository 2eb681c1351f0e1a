"""Reference catalogues at hand for matching, loaded from the store once a worker needs them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store.manifest import Manifest, references_group
from store.snapshot import Snapshot
from transforms.identifiers import FILTERCODES
from transforms.match import SkyGrid
from transforms.photometry import reference_colours

# A reference of 40,000 sources takes about 5 MB with its grid.
KEPT = 64
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
        self._checksums: dict[int, dict[int, str]] = {}
        self._kept: OrderedDict[str, Reference | None] = OrderedDict()
        self._colours: OrderedDict[
            tuple[int, int, int], tuple[NDArray[np.float64], NDArray[np.float64]] | None
        ] = OrderedDict()

    def get(self, field: int, fid: int, ccdid: int, qid: int) -> Reference | None:
        """The reference of a channel, or None if the archive has none."""
        part = channel_part(field, fid, ccdid, qid)
        if part not in self._kept:
            self._kept[part] = self._load(field, part)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(part)
        return self._kept[part]

    def checksum(self, field: int, fid: int, ccdid: int, qid: int) -> str | None:
        """Checksum of the channel's reference, without loading it; None if there is none."""
        if field not in self._checksums:
            self._checksums[field] = self._load_checksums(field)
        rcid = 4 * (ccdid - 1) + qid - 1
        return self._checksums[field].get(fid * 100 + rcid)

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

    def _load_checksums(self, field: int) -> dict[int, str]:
        known: dict[int, str] = {}
        for entry in self._manifest(field).files:
            if entry.table == "reference_images":
                table = pq.ParquetFile(self._snapshot.layout.root / entry.path).read(
                    ["fid", "rcid", "input_checksum"]
                )
                for row in table.to_pylist():
                    known[row["fid"] * 100 + row["rcid"]] = row["input_checksum"]
        return known

    def _load(self, field: int, part: str) -> Reference | None:
        files = [
            self._snapshot.layout.root / entry.path
            for entry in self._manifest(field).files
            if entry.table == "reference_sources" and entry.part == part
        ]
        if not files:
            return None
        names = ["rfid", "oid", "fid", "ccdid", "qid", "sourceid", "ra", "dec", "mag"]
        rows = pa.concat_tables([pq.ParquetFile(path).read(names) for path in files])
        rows = rows.take(pa.array(np.argsort(rows["sourceid"].to_numpy(), kind="stable")))
        first = {name: rows[name][0].as_py() for name in ("rfid", "fid", "ccdid", "qid")}
        digest = self.checksum(field, first["fid"], first["ccdid"], first["qid"])
        return Reference(
            rfid=first["rfid"],
            checksum=digest or "",
            oid=rows["oid"].to_numpy(),
            ra=rows["ra"].to_numpy(),
            dec=rows["dec"].to_numpy(),
            mag=rows["mag"].to_numpy().astype(np.float64),
            radius_arcsec=self._radius_arcsec,
        )
