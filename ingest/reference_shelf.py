"""Reference catalogues at hand for matching, loaded from the store once a worker needs them."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store.arrow import as_numpy
from store.channel import channel_part
from store.errors import DamagedArchiveError
from store.manifest import Manifest, references_group
from store.snapshot import Snapshot
from transforms.identifiers import oid as oid_of
from transforms.match import SkyGrid
from transforms.photometry import is_g_minus_r, reference_colours
from transforms.placing import put
from transforms.sorting import ranks

# A reference of 40,000 sources takes about 3 MB with its grid. Images come channel by channel, and
# colours need two filters of it: of more that were kept the next could not take the memory, and new
# memory is slow.
KEPT = 2
G, R = 1, 2


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """What `reference_images` says of one channel's reference.

    Attributes
    ----------
    checksum : of the input file it came from.
    clrcoeff : what g−r is multiplied by in its calibration; NaN where it is not known.
    """

    rfid: int
    checksum: str
    clrcoeff: float


@dataclass(frozen=True)
class Reference:
    """One reference catalogue, sorted by sourceid.

    Attributes
    ----------
    oid : int64 (n,).
    ra, dec : float64 (n,), degrees.
    mag : float32 (n,), calibrated without colour term; NaN where unknown.
    """

    image: ReferenceImage
    oid: NDArray[np.int64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    mag: NDArray[np.float32]
    radius_arcsec: float

    @property
    def rfid(self) -> int:
        """Id of the reference image."""
        return self.image.rfid

    @property
    def checksum(self) -> str:
        """Checksum of the input file it came from."""
        return self.image.checksum

    @cached_property
    def grid(self) -> SkyGrid:
        """The sources, ready to be matched to."""
        return SkyGrid(self.ra, self.dec, radius_arcsec=self.radius_arcsec)


class ReferenceShelf(threading.local):
    """The reference catalogues of one snapshot; each thread keeps those it used last in memory."""

    def __init__(self, snapshot: Snapshot, radius_arcsec: float) -> None:
        self._snapshot = snapshot
        self._radius_arcsec = radius_arcsec
        self._manifests: dict[int, Manifest] = {}
        self._images: dict[int, dict[str, ReferenceImage]] = {}
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
        image = self._image(field, channel_part(field, fid, ccdid, qid))
        return None if image is None else image.checksum

    def _image(self, field: int, part: str) -> ReferenceImage | None:
        if field not in self._images:
            self._images[field] = self._load_images(field)
        return self._images[field].get(part)

    def colours(self, field: int, fid: int, ccdid: int, qid: int) -> NDArray[np.float64] | None:
        """g−r of each source of the channel's reference; NaN where it is not known.

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
                    g.ra, g.dec, g.mag, r.ra, r.dec, r.mag,
                    g_clrcoeff=g.image.clrcoeff, r_clrcoeff=r.image.clrcoeff,
                    radius_arcsec=self._radius_arcsec, r_grid=r.grid,
                )  # fmt: skip
            if len(self._colours) > KEPT:
                self._colours.popitem(last=False)
        colours = self._colours[channel]
        return None if colours is None else colours[fid - G]

    def _manifest(self, field: int) -> Manifest:
        if field not in self._manifests:
            self._manifests[field] = self._snapshot.manifest(references_group(field))
        return self._manifests[field]

    def _load_images(self, field: int) -> dict[str, ReferenceImage]:
        names = ["field", "fid", "ccdid", "qid", "rfid", "input_checksum", "clrcoeff", "pcolor"]
        known = {}
        for entry in self._manifest(field).files:
            if entry.table == "reference_images":
                for row in _read(self._snapshot.layout.root / entry.path, names).to_pylist():
                    *channel, rfid, checksum, clrcoeff, pcolor = row.values()
                    if clrcoeff is None or not is_g_minus_r(pcolor):
                        clrcoeff = math.nan
                    known[channel_part(*channel)] = ReferenceImage(rfid, checksum, clrcoeff)
        return known

    def _load(self, field: int, fid: int, ccdid: int, qid: int) -> Reference | None:
        part = channel_part(field, fid, ccdid, qid)
        files = [
            self._snapshot.layout.root / entry.path
            for entry in self._manifest(field).files
            if entry.table == "reference_sources" and entry.part == part
        ]
        image = self._image(field, part)
        if image is None or not files:
            return None
        # Few columns: the ids follow from the channel and the row in the catalogue.
        tables = [_read(path, ["sourceid", "ra", "dec", "mag"]) for path in files]
        place = ranks(np.concatenate([as_numpy(table["sourceid"]) for table in tables]))
        by_id = {name: _placed(tables, name, place) for name in tables[0].column_names}
        return Reference(
            image=image,
            oid=oid_of(field, fid, ccdid, qid, 0) + by_id["sourceid"],
            ra=by_id["ra"],
            dec=by_id["dec"],
            mag=by_id["mag"],
            radius_arcsec=self._radius_arcsec,
        )


def _placed(tables: list[pa.Table], name: str, place: NDArray[np.int32]) -> NDArray[Any]:
    """A column of all tables, each value where it is to stand."""
    parts = [as_numpy(table[name]) for table in tables]
    column, begin = np.empty(place.size, parts[0].dtype), 0
    for part in parts:
        put(part, place[begin : begin + part.size], column)
        begin += part.size
    return column


def _read(path: Path, names: list[str]) -> pa.Table:
    """Columns of a published file; one that cannot be read is the archive's fault, no image's."""
    try:
        return pq.ParquetFile(path, pre_buffer=False).read(names, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise DamagedArchiveError(
            f"a reference cannot be read ({str(error).partition(chr(10))[0]})",
            where=path,
            hint="Run verify; add-references writes the field again.",
        ) from error
