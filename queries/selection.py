"""What of the light curves is asked for: which objects or places, and which of their rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import index
from typing import Any, Self

import numpy as np

from queries.curves.places import Circles
from queries.curves.regions import Moc, Polygon
from queries.errors import BadConeError, BadSelectionError, UnknownFilterError
from queries.sky import Cone
from store.channel import FILTER_IDS

DEFAULT_RADIUS_ARCSEC = 1.5
_MOST_FIELD = 2**15 - 1
_MOST_FLAGS = 2**16 - 1


@dataclass(frozen=True, eq=False)
class Selection:
    """Which rows are wanted. One of `oids`, `circles` and `region` says where.

    Attributes
    ----------
    oids : object ids, in ascending order.
    circles : places; `by_position` if the answer says of which of them each row is.
    region : a polygon or a coverage map.
    fids, fields : numbers of filters and of fields; None is all.
    hmjd : earliest and latest time, both included; infinite where it is open.
    flags_mask : rows of which `catflags` has one of these bits are left out.
    all_images : whether rows of images that were judged bad are wanted too.
    min_epochs : curves of fewer rows are left out, and then rows without an object.
    group : whether an id stands for all objects of its group.
    upper_limits : whether images that covered an object and did not measure it are wanted too.
    missing_ok : whether ids that the archive has not are passed over.
    programs : programmes whose images are wanted; None is all. Of an image whose programme nobody
        knows nothing is shown then.
    """

    oids: tuple[int, ...] | None = None
    circles: Circles | None = None
    by_position: bool = False
    region: Polygon | Moc | None = None
    fids: tuple[int, ...] | None = None
    fields: tuple[int, ...] | None = None
    hmjd: tuple[float, float] = (-math.inf, math.inf)
    flags_mask: int = 0
    all_images: bool = False
    min_epochs: int = 1
    group: bool = False
    upper_limits: bool = False
    missing_ok: bool = False
    programs: tuple[int, ...] | None = None

    @classmethod
    def of_objects(cls, oids: int | Sequence[int]) -> Self:
        """Some objects, by their ids; a set counts each once.

        Raises
        ------
        BadSelectionError : there is none.
        TypeError : an id is no whole number.
        """
        # Ids come from arrays: numpy's integers are no Python ones.
        listed = [index(oid) for oid in (oids if hasattr(oids, "__iter__") else [oids])]
        if not listed:
            raise BadSelectionError("no object is named", "Give one id or several.")
        return cls(oids=tuple(sorted(set(listed))))

    @classmethod
    def of_cone(cls, ra_deg: float, dec_deg: float, radius_arcsec: float) -> Self:
        """A circle.

        Raises
        ------
        BadConeError : it is not on the sky.
        """
        return cls(circles=Circles.of(Cone(ra_deg, dec_deg, radius_arcsec)))

    @classmethod
    def of_positions(cls, ra_deg: Any, dec_deg: Any, radius_arcsec: Any) -> Self:
        """A table of circles: arrays (n,), or one radius for all; the answer says which is which.

        Raises
        ------
        BadConeError : one is not on the sky; its row is named, from 0.
        """
        columns = np.broadcast_arrays(
            *(np.asarray(c, np.float64) for c in (ra_deg, dec_deg, radius_arcsec))
        )
        ra, dec, radius = (np.atleast_1d(column) for column in columns)
        # Columns first: a Cone for each of ten thousand is dear.
        with np.errstate(invalid="ignore"):
            fine = np.isfinite(ra) & (np.abs(dec) <= 90) & (radius > 0) & (radius <= 324_000)
        for row in np.flatnonzero(~fine)[:1].tolist():
            try:
                Cone(float(ra[row]), float(dec[row]), float(radius[row]))
            except BadConeError as error:
                raise BadConeError(f"position {row}: {error.what}") from None
        return cls(circles=Circles(ra % 360.0, dec, radius), by_position=True)

    @classmethod
    def of_table(cls, table: Any, radius_arcsec: float = DEFAULT_RADIUS_ARCSEC) -> Self:
        """A table of circles: columns ra, dec and perhaps radius_arcsec, or an array (n, 2 or 3).

        Raises
        ------
        BadSelectionError : it is no such table.
        BadConeError : one is not on the sky; its row is named, from 0.
        """
        hint = "Give a frame with columns ra and dec in degrees (ICRS), or an array (n, 2)."
        try:
            if hasattr(table, "columns") or hasattr(table, "keys"):
                names = list(getattr(table, "columns", None) or table.keys())
                radius = table["radius_arcsec"] if "radius_arcsec" in names else radius_arcsec
                columns = [table["ra"], table["dec"], radius]
            else:
                array = np.asarray(table, np.float64).reshape(-1, np.shape(table)[-1])
                columns = [*array.T, radius_arcsec][:3]
            ra, dec, radius = (np.asarray(column, np.float64) for column in columns)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadSelectionError("the positions are no table of places", hint) from error
        return cls.of_positions(ra, dec, radius)

    @classmethod
    def of_polygon(cls, corners: Any) -> Self:
        """All within a polygon: (n, 2), its corners in turn, degrees, ICRS.

        Raises
        ------
        BadRegionError : it is none.
        """
        return cls(region=Polygon.of(corners))

    @classmethod
    def of_moc(cls, moc: Moc | str) -> Self:
        """All within a coverage map, which a string spells as `5/1-3 6/12`.

        Raises
        ------
        BadRegionError : it is none.
        """
        return cls(region=moc if isinstance(moc, Moc) else Moc.parse(moc))

    def narrowed(
        self,
        *,
        filters: Sequence[str] | None = None,
        fields: Sequence[int] | None = None,
        hmjd: tuple[float | None, float | None] | None = None,
        flags_mask: int = 0,
        all_images: bool = False,
        min_epochs: int = 1,
        group: bool = False,
        upper_limits: bool = False,
    ) -> Self:
        """The same place, of which fewer rows are wanted; see the attributes.

        Raises
        ------
        UnknownFilterError : the survey has no such filter.
        BadSelectionError : a number is out of its range.
        """
        earliest, latest = (-math.inf, math.inf) if hmjd is None else _times(*hmjd)
        if not 0 <= flags_mask <= _MOST_FLAGS:
            raise BadSelectionError(
                f"flags mask {flags_mask} is not within 0 and {_MOST_FLAGS}",
                "It is a sum of bits of catflags.",
            )
        if min_epochs < 1:
            raise BadSelectionError(
                f"at least {min_epochs} epochs are asked for", "Ask for 1 or more."
            )
        return replace(
            self,
            fids=filter_ids(filters),
            fields=None if fields is None else tuple(_field(one) for one in fields),
            hmjd=(earliest, latest),
            flags_mask=int(flags_mask),
            all_images=all_images,
            min_epochs=int(min_epochs),
            group=group,
            upper_limits=upper_limits,
        )


def filter_ids(filters: Sequence[str] | None) -> tuple[int, ...] | None:
    """Numbers of filters given by code; None is all.

    Raises
    ------
    UnknownFilterError : the survey has no such filter.
    """
    if filters is None:
        return None
    for name in [filters] if isinstance(filters, str) else filters:
        if name not in FILTER_IDS:
            raise UnknownFilterError(name)
    return tuple(FILTER_IDS[name] for name in ([filters] if isinstance(filters, str) else filters))


def _field(field: int) -> int:
    if not 0 <= index(field) <= _MOST_FIELD:
        raise BadSelectionError(f"there can be no field {field}", "Fields are numbers, as 633.")
    return index(field)


def _times(earliest: float | None, latest: float | None) -> tuple[float, float]:
    first = -math.inf if earliest is None else float(earliest)
    last = math.inf if latest is None else float(latest)
    if not first <= last:
        raise BadSelectionError(
            f"no time is from {first:g} to {last:g}", "Give the earlier HMJD first."
        )
    return first, last
