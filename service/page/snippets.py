"""The Python and the SQL that give the rows of a page, to be copied."""

from __future__ import annotations

from service.page.stars import Star
from service.page.state import ANY_FLAG


def fetch_of(address: str) -> str:
    """A script that gives the rows wherever the service is reached; `address` is of the Parquet."""
    return f"import pandas as pd\n\ncurve = pd.read_parquet({address!r})\nprint(curve)"


def python_of(star: Star, archive: str) -> str:
    """A script that gives `star.rows`."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in star.asked.items())
    return (
        "from nightlake import Archive\n\n"
        f"with Archive({archive!r}) as archive:\n"
        f"    curve = archive.lightcurve({arguments})\n"
        "print(curve)"
    )


def sql_of(star: Star) -> str:
    """A statement for `nightlake sql` that gives the same detections; limits it cannot give."""
    asked, conditions = star.asked, []
    if "cone" in asked:
        ra, dec, radius = (float(one) for one in asked["cone"])
        conditions.append(f"cone(d.ra, d.dec, {ra!r}, {dec!r}, {radius!r})")
    else:
        oids = sorted({int(asked["oid"]), *(int(oid) for oid in star.oids)})
        conditions.append(f"d.oid IN ({', '.join(map(str, oids))})")
    if asked.get("filters"):
        listed = ", ".join(f"'{code}'" for code in asked["filters"])
        conditions.append(f"i.filtercode IN ({listed})")
    if asked.get("fields"):
        listed = ", ".join(str(int(field)) for field in asked["fields"])
        conditions.append(f"d.field IN ({listed})")
    if asked.get("flags_mask"):
        every = asked["flags_mask"] == ANY_FLAG
        bits = "d.catflags = 0" if every else f"d.catflags & {int(asked['flags_mask'])} = 0"
        conditions.append(f"coalesce({bits}, true)")
    if not asked.get("all_images"):
        conditions.append("i.is_bad IS NOT TRUE")
    where = "\n    AND ".join(conditions)
    return (
        "SELECT d.oid, d.expid, d.hmjd, i.obsmjd, d.mag, d.magerr, d.catflags, i.filtercode,\n"
        "    d.ra, d.dec, d.field, d.rcid, i.exptime, i.airmass, i.seeing, i.limitmag, i.is_bad\n"
        "FROM detections AS d\n"
        "LEFT JOIN images AS i ON i.night = d.night AND i.expid = d.expid AND i.rcid = d.rcid\n"
        f"WHERE {where}\n"
        "ORDER BY d.fid, d.oid, d.hmjd"
    )
