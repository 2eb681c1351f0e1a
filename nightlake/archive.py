"""An archive, as Python sees it."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from queries.errors import UnknownFilterError
from store.channel import FILTER_IDS
from store.history import AsOf, find_publication
from store.hold import Hold, hold_current
from store.settings import ArchiveSettings, SiteSettings
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import ArrayLike

    from ingest.compact import CompactReport
    from ingest.imports.job import ImportReport, Removal
    from ingest.report import IngestEstimate, IngestReport, Progress
    from products.hats_export.job import ExportReport
    from products.lightcurves.job import BuildReport
    from products.matchfile.job import MatchfilesReport, Written
    from queries.connection import Session
    from queries.curves.reader import CurveReader
    from queries.selection import Selection
    from store.findings import Finding
    from store.vacuum import VacuumReport

PathLike = str | os.PathLike[str]
_DEFAULTS = ArchiveSettings()
_ALL = 2**31 - 1  # rows: as many as a query's INTEGER can ask for


class Archive:
    """A Nightlake archive.

    It shows the state that was published when it was opened, whatever is published meanwhile;
    its own `ingest` and `add_references`, and `refresh`, bring it up to date. Many threads may ask
    one archive at once. What it shows is held until it is closed: `vacuum` leaves it alone.

    Parameters
    ----------
    path : the archive's folder.
    as_of : show an earlier publication instead, whatever happens: its number, a date (its end) or
        a time, UTC; see `history`.
    memory_limit : what a question may hold in memory, for example "2GB", before it spills into the
        archive's scratch folder; None is 80 % of the machine's.

    Raises
    ------
    store.errors.NotAnArchiveError : the folder holds no archive.
    store.errors.UnknownPublicationError : there is no such publication, or no longer.
    """

    def __init__(
        self, path: PathLike, *, as_of: AsOf | None = None, memory_limit: str | None = None
    ) -> None:
        self.root = Path(path).absolute()
        self._memory_limit = memory_limit
        self._as_of = as_of
        self._hold = self._held()
        self._session: Session | None = None
        self._reader: CurveReader | None = None
        self._opening = threading.Lock()

    @classmethod
    def create(
        cls,
        path: PathLike,
        *,
        name: str = "nightlake",
        partition_order: int = _DEFAULTS.partition_order,
        match_radius_arcsec: float = _DEFAULTS.match_radius_arcsec,
        night_offset_hours: float = _DEFAULTS.night_offset_hours,
        margin_arcsec: float = _DEFAULTS.margin_arcsec,
        scale_limit_percent: float = _DEFAULTS.scale_limit_percent,
        site: SiteSettings | None = None,
    ) -> Archive:
        """Create an empty archive; see `store.settings.ArchiveSettings`.

        Raises
        ------
        ValueError : a setting is out of range.
        store.errors.ArchiveExistsError : the folder holds an archive, or something else.
        """
        from store.publication import create_archive

        settings = ArchiveSettings(
            name=name,
            partition_order=partition_order,
            match_radius_arcsec=match_radius_arcsec,
            night_offset_hours=night_offset_hours,
            margin_arcsec=margin_arcsec,
            scale_limit_percent=scale_limit_percent,
            site=site or SiteSettings(),
        )
        create_archive(Path(path).absolute(), settings)
        return cls(path)

    @classmethod
    def migrate(cls, path: PathLike) -> Archive:
        """Bring an archive of an older format to this one, and open it.

        Raises
        ------
        store.errors.ArchiveVersionError : it is of a newer format.
        """
        from store.migrate import migrate

        migrate(Path(path).absolute())
        return cls(path)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Archive({str(self.root)!r})"

    @property
    def snapshot(self) -> Snapshot:
        """The published state that is seen."""
        return self._hold.snapshot

    @property
    def session(self) -> Session:
        """DuckDB over that state, opened when it is first needed."""
        # Light curves are read without DuckDB, which takes a while to import.
        from queries.connection import connect

        with self._opening:
            if self._session is None:
                self._session = connect(self.snapshot, self._memory_limit)
            return self._session

    @property
    def _curves(self) -> CurveReader:
        """What reads light curves of that state, made when it is first needed."""
        from queries.curves.reader import CurveReader

        with self._opening:
            if self._reader is None:
                self._reader = CurveReader(self.snapshot)
            return self._reader

    def refresh(self) -> None:
        """See what is published now; an archive that was opened `as_of` stays where it is."""
        hold = self._held()
        with self._opening:
            if hold.snapshot.number != self.snapshot.number:
                # Not closed: another thread may be in the middle of a question. It ends with it,
                # and so does that session's own hold.
                self._session, self._reader = None, None
            self._hold, former = hold, self._hold
        former.release()

    def close(self) -> None:
        """Let go of DuckDB and of what is shown; the next question opens it again."""
        with self._opening:
            session, self._session = self._session, None
            self._reader = None
        if session is not None:
            session.close()
        self._hold.release()

    def _held(self) -> Hold:
        """A hold on what is to be shown."""
        if self._as_of is None:
            return hold_current(self.root)
        return Hold(find_publication(self.root, self._as_of))

    # --- asking -------------------------------------------------------------------------

    def sql(self, statement: str, /, **params: Any) -> pl.DataFrame:
        """Answer one SQL question; the tables are views, `$name` in it is `params[name]`.

        Raises
        ------
        queries.errors.QueryError : it is no question, or DuckDB refuses it.
        """
        return self.session.sql(statement, params)

    def lightcurve(
        self,
        oid: int | Sequence[int] | None = None,
        *,
        cone: tuple[float, float, float] | None = None,
        positions: Any = None,
        radius_arcsec: float = 1.5,
        polygon: ArrayLike | None = None,
        moc: str | os.PathLike[str] | None = None,
        filters: Sequence[str] | None = None,
        fields: Sequence[int] | None = None,
        hmjd: tuple[float | None, float | None] | None = None,
        flags_mask: int = 0,
        all_images: bool = False,
        min_epochs: int = 1,
        group: bool = False,
        upper_limits: bool = False,
        collection: str | None = None,
    ) -> pl.DataFrame:
        """Every detection of some objects, or of a part of the sky: by filter, object and time.

        One of `oid`, `cone`, `positions`, `polygon` and `moc` says where. Rows that are flagged
        come too (see `catflags`), those of images that were judged bad do not.

        Parameters
        ----------
        oid : object id, or several.
        cone : ra, dec (degrees, ICRS) and radius (arcsec).
        positions : a table of cones, any frame with columns ra, dec and perhaps radius_arcsec, or
            an array (n, 2 or 3); column `position` of the answer is the row of each, from 0.
        radius_arcsec : of the positions, where they have none themselves.
        polygon : corners in turn, (n, 2), degrees, ICRS; sides are great circles.
        moc : coverage map as a string, 5/1-3 6/12 (IVOA MOC 2.0), or the path of its FITS file.
        filters : of zg, zr, zi; None is all.
        fields : survey fields; None is all.
        hmjd : earliest and latest time, both included; None is open.
        flags_mask : leave out rows of which `catflags` has one of these bits.
        all_images : rows of images that were judged bad come too.
        min_epochs : leave out objects that have fewer rows, and rows without an object.
        group : an id stands for all objects of its place, of whatever fields and filters, as of
            the last build; column `group_id` says which are one.
        upper_limits : a row for each image that covered an object and did not measure it, too:
            `is_upper_limit` is true there, `mag` null, `limitmag` the limit.
        collection : ask what was imported by this name instead; a place is then its objects'.

        Raises
        ------
        queries.errors.UnknownCollectionError : nothing was imported by that name.
        queries.errors.UnknownObjectError : no reference source has an id, and no detection.
        queries.errors.BadConeError, BadRegionError, UnknownFilterError, BadSelectionError :
            what is asked for is not on the sky, or no number of its kind.
        ValueError : not exactly one place is given.
        """
        selection = _selected(oid, cone, positions, radius_arcsec, polygon, moc).narrowed(
            filters=filters,
            fields=fields,
            hmjd=hmjd,
            flags_mask=flags_mask,
            all_images=all_images,
            min_epochs=min_epochs,
            group=group,
            upper_limits=upper_limits,
        )
        if collection is not None:
            from queries.curves.imported import imported_lightcurves

            return imported_lightcurves(self.snapshot, collection, selection)
        return self._curves.lightcurves(selection)

    def query(self, name: str, /, **params: Any) -> pl.DataFrame:
        """Answer a query of the library, `queries/sql/NAME.sql`; see `nightlake query --list`.

        Parameters
        ----------
        params : values for its parameters; those with a default may be left out.

        Raises
        ------
        queries.errors.UnknownQueryError : there is none of that name.
        queries.errors.UnknownParameterError, MissingParameterError, BadParameterError,
        UnknownFilterError : `params` are not what it takes.
        queries.errors.NotBuiltError : it asks for a product that was never built.
        """
        from queries.answers import answer

        return answer(self.session, name, params)

    def nights(self) -> pl.DataFrame:
        """The nights, one row each."""
        return self.query("nights")

    def scale(self, night: date | None = None) -> pl.DataFrame:
        """The scale check, night by night; or, of one night, its images, the worst first."""
        if night is None:
            return self.query("scale_qa_by_night")
        return self.query("scale_qa_by_image", night=night, limit=_ALL)

    def refusals(self, night: date | None = None) -> pl.DataFrame:
        """The inputs that were refused, of all nights or of one, and why."""
        return self.query("refusals", night=night)

    def history(self) -> pl.DataFrame:
        """Every publication that is still there, the newest last.

        `came`, `changed` and `went` list the groups (nights, references) in which it differs from
        the one before; null where that one is no longer there.
        """
        import polars as pl

        from store.history import history

        groups = pl.List(pl.String)
        return pl.DataFrame(
            [asdict(publication) for publication in history(self.root)],
            schema_overrides={"came": groups, "changed": groups, "went": groups},
        )

    def report(self, night: date | None = None, out: PathLike | None = None) -> Path:
        """Write the report of a night as one HTML page; returns where it is.

        See `products.report.job.write_report`: None is the newest night, and report-NIGHT.html in
        the working folder.
        """
        from products.report.job import write_report

        # Who runs the commands that it shows must see the same.
        as_of = None if self._as_of is None else self.snapshot.number
        return write_report(self.session, night, None if out is None else Path(out), as_of)

    # --- matchfiles ---------------------------------------------------------------------

    def matchfile(
        self,
        field: int,
        filter_code: str,
        ccd: int,
        quadrant: int,
        *,
        out: PathLike = "matchfiles",
        plot: PathLike | None = None,
        collection: str | None = None,
        **making: Any,
    ) -> Written:
        """Write the light curves of one quadrant as ZTF's matchfile, below the folder `out`.

        Parameters
        ----------
        plot : a picture of its stars' scatter against magnitude: png, svg or pdf.
        collection : write the one that was imported by this name instead, as it was.
        making : members of `products.matchfile.columns.Making`.

        Raises
        ------
        queries.errors.UnknownFilterError : the survey has no such filter.
        products.errors.UnknownChannelError : the archive has no such quadrant.
        products.errors.StaleChannelError : its references were replaced; `rematch` first.
        products.errors.UnwritableOutputError : nothing is left of the file.
        """
        from products.matchfile.columns import Channel, Making
        from products.matchfile.job import make_matchfile

        if filter_code not in FILTER_IDS:
            raise UnknownFilterError(filter_code)
        channel = Channel(field, FILTER_IDS[filter_code], ccd, quadrant)
        if collection is not None:
            from products.matchfile.job import write_imported

            compress = making.get("compress")
            return write_imported(self.session, channel, Path(out), collection, compress)
        picture = Path(plot) if plot is not None else None
        if picture is not None:
            from products.canvas import picture_format, prepare

            picture_format(picture)
            prepare(self.snapshot.layout.scratch, picture)
        return make_matchfile(self.session, channel, Path(out), Making(**making), picture)

    def matchfiles(
        self,
        out: PathLike = "matchfiles",
        *,
        workers: int | None = None,
        progress: Progress | None = None,
        **making: Any,
    ) -> MatchfilesReport:
        """Write every matchfile that is not up to date below the folder `out`.

        See `products.matchfile.job.make_matchfiles`.
        """
        from products.matchfile.columns import Making
        from products.matchfile.job import make_matchfiles

        return make_matchfiles(
            self.session, Path(out), Making(**making), workers=workers, progress=progress
        )

    # --- copies for others --------------------------------------------------------------

    def export(
        self,
        form: Literal["nested", "catalogues"],
        out: PathLike,
        *,
        collection: str | None = None,
        all_images: bool = False,
        overwrite: bool = False,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> ExportReport:
        """Write what is shown as a HATS catalogue of one file a pixel, into the new folder `out`.

        `nested` are light curves of one row each, as the public data releases have them, of the
        archive or of an imported `collection`; `catalogues` are copies without links, to be served
        over plain HTTP. See `products.hats_export.job`.
        """
        from products.hats_export.job import export_catalogues, export_nested

        if form == "catalogues":
            return export_catalogues(
                self.snapshot, Path(out), overwrite=overwrite, workers=workers, progress=progress
            )
        return export_nested(
            self.snapshot,
            Path(out),
            collection=collection,
            all_images=all_images,
            overwrite=overwrite,
            workers=workers,
            progress=progress,
        )

    # --- changing -----------------------------------------------------------------------

    def ingest(
        self,
        paths: PathLike | Sequence[PathLike],
        *,
        night: date | None = None,
        metadata: PathLike | None = None,
        prior: PathLike | None = None,
        hjd_method: Literal["fit", "exact"] = "fit",
        workers: int | None = None,
        rebuild: bool = False,
        exact: bool = False,
        dask: str | None = None,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Ingest psfcat files, given as files or folders; each night is published whole.

        See `ingest.pipeline.ingest`; `dask` is the address of a scheduler whose workers do it.
        """
        from ingest.pipeline import ingest

        with ExitStack() as stack:
            executor = None
            if dask is not None:
                from ingest.cluster import DaskExecutor

                executor = stack.enter_context(DaskExecutor(dask))
            report = ingest(
                self.root,
                _paths(paths),
                night=night,
                metadata=Path(metadata) if metadata is not None else None,
                prior=Path(prior) if prior is not None else None,
                hjd_method=hjd_method,
                workers=workers,
                rebuild=rebuild,
                exact=exact,
                executor=executor,
                progress=progress,
            )
        self.refresh()
        return report

    def estimate(
        self,
        paths: PathLike | Sequence[PathLike],
        *,
        night: date | None = None,
        metadata: PathLike | None = None,
    ) -> IngestEstimate:
        """What `ingest` would do; nothing is written."""
        from ingest.pipeline import estimate

        return estimate(
            self.root,
            _paths(paths),
            night=night,
            metadata=Path(metadata) if metadata is not None else None,
        )

    def add_references(
        self,
        paths: PathLike | Sequence[PathLike],
        *,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Add refpsfcat files, or replace them; `rematch` matches published nights to them."""
        from ingest.references import add_references

        report = add_references(self.root, _paths(paths), workers=workers, progress=progress)
        self.refresh()
        return report

    def import_lightcurves(
        self,
        paths: PathLike | Sequence[PathLike],
        *,
        collection: str = "imported",
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import light curves of a public data release (Parquet) or of the light-curve API (CSV).

        See `ingest.imports.job.import_lightcurves`.
        """
        from ingest.imports.job import import_lightcurves

        report = import_lightcurves(
            self.root, _paths(paths), collection=collection, workers=workers, progress=progress
        )
        self.refresh()
        return report

    def import_matchfiles(
        self,
        paths: PathLike | Sequence[PathLike],
        *,
        collection: str = "imported",
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import ZTF's matchfiles, as they are, into tables of their own.

        See `ingest.imports.matchfiles.import_matchfiles`.
        """
        from ingest.imports.matchfiles import import_matchfiles

        report = import_matchfiles(
            self.root, _paths(paths), collection=collection, workers=workers, progress=progress
        )
        self.refresh()
        return report

    def remove_matchfiles(self, *names: str, collection: str = "imported") -> Removal:
        """Publish the archive without a collection's matchfiles, or without those of these names.

        See `ingest.imports.matchfiles.remove_matchfiles`.
        """
        from ingest.imports.matchfiles import remove_matchfiles

        removal = remove_matchfiles(self.root, collection, names)
        self.refresh()
        return removal

    def remove_lightcurves(self, *names: str, collection: str = "imported") -> Removal:
        """Publish the archive without some imported files, or without a whole collection.

        Raises
        ------
        ingest.imports.errors.UnknownImportError : one is not there; nothing is removed.
        """
        from ingest.imports.job import remove_imports

        removal = remove_imports(self.root, collection, names)
        self.refresh()
        return removal

    def rematch(
        self, *nights: date, workers: int | None = None, progress: Progress | None = None
    ) -> IngestReport:
        """Publish the stale images of some nights, or of all, with ids of the present references.

        See `ingest.rematch.rematch`.
        """
        from ingest.rematch import rematch

        report = rematch(self.root, nights, workers=workers, progress=progress)
        self.refresh()
        return report

    def withdraw(self, *nights: date) -> Snapshot:
        """Publish the archive without some nights; what was published stays until `vacuum`.

        Raises
        ------
        store.errors.UnknownNightError : one of them is not there; nothing is withdrawn.
        store.errors.ArchiveBusyError : one of them is being ingested; nothing is withdrawn.
        store.errors.DamagedArchiveError : a file of a period that other nights need is damaged.
        """
        from ingest.withdraw import withdraw

        snapshot = withdraw(self.root, nights)
        self.refresh()
        return snapshot

    def compact(
        self,
        *,
        first: date | None = None,
        last: date | None = None,
        max_rows: int | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> CompactReport:
        """Publish the detections of some nights, `first` to `last`, as one file a pixel.

        See `ingest.compact.compact`; None for `max_rows` is its default.
        """
        from ingest.compact import MAX_ROWS, compact

        most = MAX_ROWS if max_rows is None else max_rows
        report = compact(
            self.root, first=first, last=last, max_rows=most, workers=workers, progress=progress
        )
        self.refresh()
        return report

    def build(
        self,
        product: str,
        *,
        workers: int | None = None,
        rebuild: bool = False,
        progress: Progress | None = None,
    ) -> BuildReport:
        """Build a product of what is published, or bring it up to date: "lightcurves".

        See `products.lightcurves.job.build`.

        Raises
        ------
        ValueError : there is no product of that name.
        """
        if product != "lightcurves":
            raise ValueError(f"no product {product!r}: there is lightcurves")
        from products.lightcurves.job import build

        report = build(self.root, workers=workers, rebuild=rebuild, progress=progress)
        self.refresh()
        return report

    def vacuum(
        self,
        *,
        keep: int = 1,
        older_than_days: float = 7,
        dry_run: bool = False,
    ) -> VacuumReport:
        """Remove old publications, what only they needed, and what killed processes left.

        See `store.vacuum.vacuum`.
        """
        from store.vacuum import vacuum

        self.refresh()  # or else this archive's own hold may keep an old publication
        return vacuum(self.root, keep=keep, older_than_days=older_than_days, dry_run=dry_run)

    def repair(self) -> None:
        """Publish what is published once more, with every link and all HATS metadata made anew.

        See `store.repair.repair`, which also finds the link `current` if that is lost: then no
        `Archive` can be opened.
        """
        from store.repair import repair

        repair(self.root)
        self.refresh()

    def verify(self, progress: Progress | None = None, *, deep: bool = False) -> list[Finding]:
        """Check every published file against what was published; no finding is a sound archive.

        `deep` counts the rows of every image, exposure and night again too.
        """
        from store.verify import verify

        return verify(self.root, progress, deep=deep)


def _selected(
    oid: int | Sequence[int] | None,
    cone: tuple[float, float, float] | None,
    positions: Any,
    radius_arcsec: float,
    polygon: ArrayLike | None,
    moc: str | os.PathLike[str] | None,
) -> Selection:
    """The one place that is given.

    Raises
    ------
    ValueError : it is not exactly one.
    """
    from queries.selection import Selection

    if sum(place is not None for place in (oid, cone, positions, polygon, moc)) != 1:
        raise ValueError(
            "give either oid or cone=(ra_deg, dec_deg, radius_arcsec), positions=, polygon= or moc="
        )
    if oid is not None:
        return Selection.of_objects(oid)
    if cone is not None:
        return Selection.of_cone(*cone)
    if positions is not None:
        return Selection.of_table(positions, radius_arcsec)
    if polygon is not None:
        return Selection.of_polygon(polygon)
    if isinstance(moc, os.PathLike):
        from products.places import read_moc

        return Selection.of_moc(read_moc(Path(moc)))
    assert moc is not None
    return Selection.of_moc(moc)


def _paths(paths: PathLike | Sequence[PathLike]) -> list[Path]:
    if isinstance(paths, str | os.PathLike):
        return [Path(paths)]
    return [Path(path) for path in paths]
