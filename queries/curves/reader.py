"""Light curves of one snapshot: from what is asked for to the rows of an answer."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.answer import in_order, table_of, table_of_runs
from queries.curves.arrays import arrow, truths, valid, values
from queries.curves.cache import SHARED, ByteCache
from queries.curves.channels import (
    QUADRANT_ARCSEC,
    Channel,
    References,
    by_channel,
    night_channels,
    oids_of,
)
from queries.curves.columns import OF_DETECTION
from queries.curves.files import close_idle, one_batch, resolved
from queries.curves.groups import NO_GROUP, Groups
from queries.curves.images import Images, no_images, of_nights, read_images
from queries.curves.leaves import Leaves
from queries.curves.limits import as_rows, near_of, upper_limits
from queries.curves.nightly import ROWS, Nightly
from queries.curves.pieces import Found, Seen
from queries.curves.places import Circles, Objects, Place
from queries.curves.product import Product
from queries.curves.sources import sources_in
from queries.errors import UnknownObjectError
from queries.frames import stream_frame
from queries.selection import Selection
from queries.sky import Cone
from store.channel import channel_of_oid, channel_part
from store.hold import Hold
from store.layout import HealpixPixel
from store.lightcurve_files import LightcurveFiles
from store.periods import parse_night
from store.settings import read_settings
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

Index = NDArray[np.int64]

# A reference position is kept to 1e-7 degrees, and so is a detection's.
_ROUNDING_ARCSEC = 0.01
# Where it pays to put runs of rows in order rather than rows.
_MANY_ROWS = 50_000
_EPOCH = date(1970, 1, 1)
_ROWS = pa.schema([*ROWS, *no_images(0).schema])


class CurveReader:
    """Answers about light curves; many threads may ask one.

    The snapshot is held for as long as the reader is there. What is read of its files is remembered
    in `cache`, which all readers of a process share.
    """

    def __init__(self, snapshot: Snapshot, cache: ByteCache = SHARED) -> None:
        self.snapshot = snapshot
        # Whoever drops its last reference closes it too.
        self.close = weakref.finalize(self, _release, Hold(snapshot))
        self._cache = cache
        self._reach = read_settings(snapshot.layout.root).match_radius_arcsec + _ROUNDING_ARCSEC
        self._files = LightcurveFiles(snapshot)
        self._leaves = Leaves(snapshot)
        self._references = References(snapshot, cache)
        self._groups = Groups(snapshot, cache)
        self._pixels: dict[HealpixPixel, Held] = {}
        self._traces: dict[Channel, Trace] = {}
        self._image_files: dict[date, Path | None] = {}

    def lightcurves(self, selection: Selection) -> pl.DataFrame:
        """The rows that are asked for: by position, filter, object and time.

        Raises
        ------
        UnknownObjectError : no reference source has an id, and no detection.
        DamagedArchiveError : a file that is needed cannot be read.
        """
        frame = stream_frame(self.rows(selection))
        return frame.rechunk() if frame.n_chunks() > 1 else frame

    def rows(self, selection: Selection) -> pa.Table:
        """The same as Arrow has it; spares polars."""
        if selection.group and selection.oids is not None:
            asked = self._located(by_channel(selection.oids))
            members = self._groups.members(asked, self._reach)
            selection = replace(selection, oids=tuple(sorted({*members, *selection.oids})))
        if selection.oids is not None:
            found = list(self._objects(selection, selection.oids))
        else:
            place = selection.circles or selection.region
            assert place is not None
            found = list(self._place(selection, place))
        if selection.upper_limits:
            found.append(self._limits(selection))
        simple = selection.min_epochs == 1 and not (selection.group or selection.upper_limits)
        if simple and sum(one.rows.num_rows for one in found) > _MANY_ROWS:
            table = table_of_runs(found, by_position=selection.by_position)
            if table is not None:
                return table
        rows, target = _joined([one.with_images() for one in found])
        rows, position = _arranged(selection, rows, target if selection.by_position else None)
        more = [] if position is None else [("position", arrow(position))]
        if selection.group:
            more.append(("group_id", self._group_ids(rows)))
        if selection.upper_limits:
            # Every detection has a number in its image.
            more.append(("is_upper_limit", arrow(~valid(rows.column("sourceid")))))
        return table_of(rows, more)

    def without_source(self, oids: Sequence[int]) -> list[int]:
        """Those of some ids that no reference source has."""
        known = set(self.located(oids).oid.tolist())
        return [oid for oid in oids if oid not in known]

    def located(self, oids: Sequence[int]) -> Objects:
        """Those of some ids that a reference source has, and where it lies."""
        return self._located(by_channel(oids))

    # --- by place -----------------------------------------------------------------------

    def _place(self, selection: Selection, place: Place) -> Iterator[Found]:
        ranges = place.ranges(self._reach)
        for pixel, some in self._leaves.touched(ranges):
            product, nightly = self._pixel(pixel)
            if product is not None:
                # All ranges: a row near a border may stand at an object beyond it.
                show = partial(self._shown, selection, product.images)
                yield from product.in_place(place, ranges, show)
            yield from self._nightly(selection, nightly.in_place(place, some))

    # --- by id --------------------------------------------------------------------------

    def _objects(self, selection: Selection, oids: Sequence[int]) -> Iterator[Found]:
        channels = by_channel(oids)
        place = self._located(channels)
        traces = {channel: self._trace(channel) for channel in channels}
        found_oids = set(place.oid.tolist())
        wanted: dict[HealpixPixel, set[int]] = {}
        former = {channel: trace for channel, trace in traces.items() if trace.nights}
        for pixel, some in self._leaves.touched(place.ranges(self._reach)):
            wanted.setdefault(pixel, set()).update(place.oid[some.target].tolist())
            parts = self._pixel(pixel).nightly.in_place(place, some)
            yield from self._nightly(selection, [_without(part, former) for part in parts])
        for channel, trace in traces.items():
            for pixel in trace.pixels:
                wanted.setdefault(pixel, set()).update(channels[channel])
            parts = list(self._former(channels[channel], trace))
            found_oids.update(oid for part in parts for oid in part.rows.column("oid").to_pylist())
            yield from self._nightly(selection, parts)
        for pixel, some_oids in wanted.items():
            product = self._pixel(pixel).product
            if product is None:
                continue
            for found in product.of_objects(sorted(some_oids)):
                if len(found_oids) < len(oids):
                    found_oids.update(found.rows.column("oid").to_pylist())
                shown = self._shown(selection, product.images, found)
                if shown is not None:
                    yield shown
        for oid in () if selection.missing_ok else oids:
            if oid not in found_oids:
                raise UnknownObjectError(oid, self.snapshot.layout.root, self._what_is_there(oid))

    def _located(self, channels: dict[Channel, list[int]]) -> Objects:
        """Those of some objects that have a reference source."""
        rows: list[tuple[int, float, float]] = []
        for channel, some in channels.items():
            sources = self._references.sources(channel)
            if sources is None:
                continue
            for oid in some:
                at = sources.at(oid)
                if at is not None:
                    rows.append((oid, float(sources.ra_deg[at]), float(sources.dec_deg[at])))
        # Ids are beyond what a float holds: not through one array.
        oids = np.array([oid for oid, *_ in rows], np.int64)
        places = np.array([place for _, *place in rows], np.float64).reshape(-1, 2)
        return Objects(oids, places[:, 0], places[:, 1])

    def _former(self, oids: list[int], trace: Trace) -> Iterator[Found]:
        """Rows of images that were matched to a former reference, wherever they lie."""
        if not trace.nights:
            return
        cones = sorted({cone for cones in trace.nights.values() for cone in cones}, key=_by_place)
        for pixel, _ in self._leaves.touched(Circles.of(*cones).ranges(0.0)):
            yield from self._pixel(pixel).nightly.of_objects(oids, trace.nights.keys())

    def _trace(self, channel: Channel) -> Trace:
        if channel not in self._traces:
            self._traces[channel] = self._find_trace(channel)
        return self._traces[channel]

    def _find_trace(self, channel: Channel) -> Trace:
        """Where objects of a channel have rows elsewhere than at their reference sources."""
        sources = self._references.sources(channel)
        cone = None if sources is None else sources.cone
        everywhere: list[Cone] = []
        if cone is None:
            # Nobody knows where it lies, but the images that were matched to it.
            everywhere = [c for cs in self._nights_of(channel, self._nights).values() for c in cs]
        near = [
            pixel
            for pixel, _ in self._leaves.touched(
                Circles.of(*([cone] if cone else everywhere)).ranges(0.0)
            )
        ]
        first, past = oids_of(channel)
        pixels = []
        nights: set[date] = set()
        for pixel in near:
            product, nightly = self._pixel(pixel)
            nights.update(nightly.nights(self._nights))
            if product is not None and not product.runs.all_at(first, past, sources):
                pixels.append(pixel)
        return Trace(pixels, self._nights_of(channel, sorted(nights)))

    def _nights_of(self, channel: Channel, nights: Iterable[date]) -> dict[date, list[Cone]]:
        """The nights of which images of a channel were matched to another reference than stands."""
        current = self._references.checksum(channel)
        found: dict[date, list[Cone]] = {}
        for night in nights:
            path = self._path_of_images(night)
            if path is not None:
                centres = night_channels(path, self._cache).former(channel, current)
                if centres:
                    found[night] = [Cone(*at, QUADRANT_ARCSEC) for at in _distinct(centres)]
        return found

    def _what_is_there(self, oid: int) -> str:
        channel = channel_of_oid(oid)
        part = channel_part(*channel)
        if self._references.sources(channel) is not None:
            return f"none of the {part} reference sources has that id, and no detection"
        return f"no reference catalogue {part}"

    # --- what covered an object and did not measure it --------------------------------------

    def _limits(self, selection: Selection) -> Found:
        """A row for each image that covered one of the objects and did not measure it."""
        objects, target = self._wanted(selection)
        oid, first, number = np.unique(objects.oid, return_index=True, return_inverse=True)
        once = Objects(oid, objects.ra_deg[first], objects.dec_deg[first])
        around = Circles(once.ra_deg, once.dec_deg, np.full(oid.size, self._reach))
        near = near_of(self._place(Selection(all_images=True), around))
        limits = upper_limits(
            self.snapshot, once, near, self._references,
            hmjd=selection.hmjd, all_images=selection.all_images,
        )  # fmt: skip
        # An object may be in several circles.
        of_row = np.searchsorted(oid, values(limits.column("oid")))
        order = np.argsort(number, kind="stable")
        begin = np.searchsorted(number[order], of_row)
        length = np.bincount(number, minlength=oid.size)[of_row]
        row = np.repeat(np.arange(of_row.size), length)
        at = np.arange(row.size) + np.repeat(begin - (np.cumsum(length) - length), length)
        found = Found(as_rows(limits, _ROWS).take(arrow(row)), target[order[at]])
        if selection.programs is None:
            return found
        return _kept(found, _of_programs(found.rows, selection.programs))

    def _wanted(self, selection: Selection) -> tuple[Objects, Index]:
        """The objects that are asked for and have a reference source, and the target of each."""
        if selection.oids is not None:
            objects = self._located(by_channel(selection.oids))
            target = np.zeros(objects.oid.size, np.int64)
        else:
            place = selection.circles or selection.region
            assert place is not None
            objects, target = sources_in(self.snapshot, place, self._cache)
        keep = np.ones(objects.oid.size, bool)
        if selection.fids is not None:
            keep &= np.isin(objects.oid // 10**11 % 10, selection.fids)
        if selection.fields is not None:
            keep &= np.isin(objects.oid // 10**12, selection.fields)
        kept = Objects(objects.oid[keep], objects.ra_deg[keep], objects.dec_deg[keep])
        return kept, target[keep]

    def _group_ids(self, rows: pa.RecordBatch) -> pa.Array:
        """The group of each row's object; null where it is in none."""
        oid = values(rows.column("oid"), NO_GROUP)
        distinct = np.unique(oid)
        known = self._groups.of(
            self._located(by_channel(distinct[distinct != NO_GROUP].tolist())), self._reach
        )
        of_distinct = np.array([known.get(one, NO_GROUP) for one in distinct.tolist()], np.int64)
        group = of_distinct[np.searchsorted(distinct, oid)]
        return arrow(group, group == NO_GROUP)

    # --- what is shown of them ------------------------------------------------------------

    def _shown(self, selection: Selection, images: Images, found: Found) -> Found | None:
        """Of the rows of light curves those that are wanted, and their images."""
        found = _narrowed(selection, found)
        if not found.rows.num_rows:
            return None
        number = images.numbers(found.rows)
        seen = Found(found.rows, found.target, Seen(images.shown, number))
        wanted = _of_images(selection, images.shown, images.any_bad)
        if wanted is None:
            return seen
        # Of an image that nobody knows it is not known that it is bad, nor of which programme.
        unknown = selection.programs is None
        return _kept(seen, np.append(wanted, unknown)[values(number, wanted.size)])

    def _nightly(self, selection: Selection, parts: list[Found]) -> Iterator[Found]:
        """The same of the rows of nights, the columns of the images among them."""
        parts = [_narrowed(selection, part) for part in parts]
        parts = [part for part in parts if part.rows.num_rows]
        if parts:
            rows, target = _joined(parts)
            images, any_bad = of_nights(rows, self._images_of)
            columns = [*rows.select(OF_DETECTION).columns, *images.columns]
            found = Found(pa.RecordBatch.from_arrays(columns, schema=_ROWS), target)
            wanted = _of_images(selection, images, any_bad)
            yield found if wanted is None else _kept(found, wanted)

    # --- what is where --------------------------------------------------------------------

    def _pixel(self, pixel: HealpixPixel) -> Held:
        if pixel not in self._pixels:
            files = self._files.of(pixel)
            paths = (files.lightcurves, files.index, files.images)
            product = Product(files, self._cache) if all(paths) else None
            self._pixels[pixel] = Held(product, Nightly(files.others, files.fresh, self._cache))
        return self._pixels[pixel]

    @cached_property
    def _nights(self) -> list[date]:
        return [parse_night(night) for night in sorted(self._files.images)]

    def _images_of(self, day: int) -> Images | None:
        path = self._path_of_images(_EPOCH + timedelta(days=day))
        return None if path is None else read_images(path, self._cache)

    def _path_of_images(self, night: date) -> Path | None:
        if night not in self._image_files:
            path = self.snapshot.folder / "images" / f"{night:%Y%m%d}.parquet"
            self._image_files[night] = resolved(path) if path.exists() else None
        return self._image_files[night]


class Held(NamedTuple):
    """Who holds the rows of a pixel."""

    product: Product | None
    nightly: Nightly


class Trace(NamedTuple):
    """Where objects of a channel have rows elsewhere than at their reference sources.

    Attributes
    ----------
    pixels : those whose light curves have such.
    nights : that are in no light curves, with circles about the images.
    """

    pixels: list[HealpixPixel]
    nights: dict[date, list[Cone]]


def _release(hold: Hold) -> None:
    hold.release()
    # Its files may be removed now. Another reader opens anew what it shares with this one.
    close_idle()


def _without(found: Found, former: dict[Channel, Trace]) -> Found:
    """Without the rows that are looked for elsewhere too: those of nights with former images."""
    if not former:
        return found
    oid = values(found.rows.column("oid"))
    night = values(found.rows.column("night"))
    keep = np.ones(len(oid), bool)
    for channel, trace in former.items():
        first, past = oids_of(channel)
        days = np.array(sorted(trace.nights), "datetime64[D]").astype(np.int32)
        keep &= ~((oid >= first) & (oid < past) & np.isin(night, days))
    return _kept(found, keep)


def _narrowed(selection: Selection, found: Found) -> Found:
    """The rows that are wanted by what they say themselves."""
    rows = found.rows
    keep: NDArray[np.bool_] | None = None

    def also(mask: NDArray[np.bool_]) -> None:
        nonlocal keep
        keep = mask if keep is None else keep & mask

    if selection.fids is not None:
        also(np.isin(values(rows.column("fid")), selection.fids))
    if selection.fields is not None:
        also(np.isin(values(rows.column("field")), selection.fields))
    if selection.hmjd != (-np.inf, np.inf):
        # A time that nobody knows is NaN here, and in no range.
        hmjd = values(rows.column("hmjd"), np.nan)
        also((hmjd >= selection.hmjd[0]) & (hmjd <= selection.hmjd[1]))
    if selection.flags_mask:
        flags = values(rows.column("catflags"), 0)
        also((flags & np.uint16(selection.flags_mask)) == 0)
    return found if keep is None else _kept(found, keep)


def _of_images(
    selection: Selection, images: pa.RecordBatch, any_bad: bool
) -> NDArray[np.bool_] | None:
    """Whether rows of each of some images are wanted; None if those of all are."""
    wanted: NDArray[np.bool_] | None = None
    if selection.programs is not None:
        wanted = _of_programs(images, selection.programs)
    if any_bad and not selection.all_images:
        good = ~truths(images.column("is_bad"))
        wanted = good if wanted is None else wanted & good
    return wanted


def _of_programs(rows: pa.RecordBatch, programs: Sequence[int]) -> NDArray[np.bool_]:
    """Whether each row's image is known to be of one of some programmes."""
    known = valid(rows.column("programid"))
    return known & np.isin(values(rows.column("programid")), programs)


def _kept(found: Found, keep: NDArray[np.bool_]) -> Found:
    if keep.all():
        return found
    target = None if found.target is None else found.target[keep]
    seen, mask = found.seen, arrow(keep)
    if seen is not None:
        seen = Seen(seen.images, seen.number.filter(mask))
    return Found(found.rows.filter(mask), target, seen)


def _joined(parts: list[Found]) -> tuple[pa.RecordBatch, Index | None]:
    """Some parts as one, in this order."""
    if len(parts) == 1:
        return parts[0].rows, parts[0].target
    schema = parts[0].rows.schema if parts else _ROWS
    rows = one_batch(pa.Table.from_batches([part.rows for part in parts], schema=schema))
    targets = [part.target for part in parts if part.target is not None]
    return rows, np.concatenate(targets) if len(targets) == len(parts) and targets else None


def _arranged(
    selection: Selection, rows: pa.RecordBatch, position: Index | None
) -> tuple[pa.RecordBatch, Index | None]:
    """The rows of an answer in their order, and the position of each if that is asked for."""
    if selection.by_position and position is None:
        position = np.empty(0, np.int64)
    order, starts = in_order(rows, position)
    if selection.min_epochs > 1:
        order = _long_enough(rows, order, starts, selection.min_epochs)
    if order is not None:
        rows = rows.take(arrow(order))
        position = None if position is None else position[order]
    return rows, position


def _long_enough(
    rows: pa.RecordBatch, order: Index | None, starts: Index, min_epochs: int
) -> Index:
    """The order without curves of too few rows, and without rows that are of no object."""
    order = np.arange(rows.num_rows) if order is None else order
    lengths = np.diff(np.append(starts, rows.num_rows))
    # Upper limits have no row in a catalogue, and are no epochs.
    measured = valid(rows.column("sourceid"))[order].astype(np.int64)
    epochs = np.add.reduceat(measured, starts) if len(starts) else lengths
    keep = np.repeat(epochs >= min_epochs, lengths)
    keep &= valid(rows.column("oid"))[order]
    return order[keep]


def _distinct(centres: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Centres to a tenth of a degree: those of one channel are much the same."""
    known = [at for at in centres if np.isfinite(at).all()]
    return sorted({(round(ra, 1), round(dec, 1)) for ra, dec in known})


def _by_place(cone: Cone) -> tuple[float, float]:
    return cone.ra_deg, cone.dec_deg
