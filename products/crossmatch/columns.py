"""Which columns of a catalogue are its ids and positions, and their values in one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from products.crossmatch.rows import Floats
from products.errors import BadColumnError, MissingColumnError
from store.arrow import as_numpy

# Names are compared without regard to case, in this order.
POSITIONS = (
    ("ra", "dec"),
    ("raj2000", "dej2000"),
    ("_raj2000", "_dej2000"),
    ("ra_icrs", "de_icrs"),
    ("ra_deg", "dec_deg"),
    ("radeg", "dedeg"),
    ("ramean", "decmean"),
    ("alpha_j2000", "delta_j2000"),
    ("alphawin_j2000", "deltawin_j2000"),
    ("coord_ra", "coord_dec"),
)
IDS = ("oid", "objectid", "object_id", "objid", "source_id", "sourceid", "obj_id", "id", "name")
ROW_NUMBER = "row number"
# What a column's metadata call its unit; Nightlake's own Parquet files have it too.
UNIT = b"unit"
# Who names none, or one unheard of, means degrees.
_OTHER_UNITS = {
    "rad", "radian", "radians", "h", "hr", "hour", "hours", "hourangle", "arcmin", "arcsec", "mas",
}  # fmt: skip
_DEGREES = "Give decimal degrees, not 12:34:56.7; leave empty what is missing."
_NUMBERS = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal, pa.types.is_null)


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """Names of the columns of a catalogue; None is to be found. Positions are degrees, ICRS."""

    id: str | None = None
    ra: str | None = None
    dec: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read; without `id` a row's number, from 0, is its id."""

    id: str | None
    ra: str
    dec: str

    @property
    def names(self) -> list[str]:
        """Every column to read, each once."""
        return list(dict.fromkeys([*([self.id] if self.id else []), self.ra, self.dec]))


def choose(
    names: Sequence[str],
    wanted: ColumnNames,
    where: Path,
    side: str,
    default: tuple[str, str] | None = None,
) -> Columns:
    """Choose among the columns `names` of the file or folder `where`.

    Parameters
    ----------
    side : left or right, as the options are called.
    default : RA and dec as the catalogue itself names them.

    Raises
    ------
    MissingColumnError : a column that is wanted is not there, or none looks like a position.
    """
    known = {name.strip().lower(): name for name in reversed(names)}
    for option, name in (("id", wanted.id), ("ra", wanted.ra), ("dec", wanted.dec)):
        if name is not None and name not in names:
            raise MissingColumnError(name, where, names, f"--{side}-{option}")
    ra, dec = _position(known, default)
    ra, dec = wanted.ra or ra, wanted.dec or dec
    if not ra or not dec:
        missing = "dec" if ra else "ra"
        raise MissingColumnError(missing, where, names, f"--{side}-{missing}")
    ids = next((known[name] for name in IDS if name in known), None)
    return Columns(wanted.id or ids, ra, dec)


def _position(known: dict[str, str], default: tuple[str, str] | None) -> tuple[str, str]:
    if default and all(name in known.values() for name in default):
        return default
    for ra, dec in POSITIONS:
        if ra in known and dec in known:
            return known[ra], known[dec]
    return "", ""


def degrees(values: pa.Array, name: str, where: Path) -> Floats:
    """Coordinates as float64 (n,), NaN where null.

    Raises
    ------
    BadColumnError : they are no numbers.
    """
    if not any(is_number(values.type) for is_number in _NUMBERS):
        raise BadColumnError(f"column {name!r} is {values.type}, not degrees", where, _DEGREES)
    return as_numpy(values.cast(pa.float64()))


def check_position(field: pa.Field, where: Path) -> None:
    """Whether a column can hold degrees, by its type and by what it says of its unit.

    Raises
    ------
    BadColumnError : it cannot.
    """
    degrees(pa.array([], field.type), field.name, where)
    unit = (field.metadata or {}).get(UNIT, b"").decode(errors="replace").strip()
    if unit.lower() in _OTHER_UNITS:
        raise BadColumnError(f"column {field.name!r} is in {unit!r}, not degrees", where, _DEGREES)


def id_type(found: pa.DataType, name: str, where: Path) -> pa.DataType:
    """The type that ids of a type are kept in: whole numbers as they are, all text as string.

    Raises
    ------
    BadColumnError : it is neither.
    """
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_integer(found):
        return found
    if pa.types.is_null(found):
        return pa.int64()
    if pa.types.is_string(found) or pa.types.is_large_string(found):
        return pa.string()
    if str(found) == "string_view":
        return pa.string()
    raise BadColumnError(
        f"column {name!r} is {found}, which is no id",
        where,
        "Name a column of whole numbers or text as id.",
    )
