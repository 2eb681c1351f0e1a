"""The channels of an archive that can have a matchfile, and what each would be made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from products.errors import StaleChannelError, UnknownChannelError
from products.matchfile.channel import reference_entries
from products.matchfile.columns import Channel, Making
from queries.connection import Session
from queries.named import query
from store.atomic import checksum
from store.channel import FILTERCODES

if TYPE_CHECKING:
    import polars as pl

_KEY = ["field", "fid", "ccdid", "qid"]


@dataclass(frozen=True, slots=True)
class Source:
    """One channel: its images, its reference image, and a checksum of all that counts."""

    channel: Channel
    images: pl.DataFrame
    reference: Mapping[str, Any]
    recipe: str


def channels(session: Session) -> list[Channel]:
    """The channels with a reference catalogue and at least one image, in order."""
    references = _references(session)
    images = session.sql("SELECT DISTINCT field, fid, ccdid, qid FROM images")
    return sorted(c for c in map(Channel._make, images.iter_rows()) if c in references)


def sources(session: Session, wanted: list[Channel], making: Making) -> list[Source]:
    """What each of these channels is made from.

    Raises
    ------
    UnknownChannelError : the archive has no such channel, or no images or references of it.
    StaleChannelError : images of one were matched to another reference catalogue.
    """
    references = _references(session)
    one = dict(zip(_KEY, wanted[0], strict=True)) if len(wanted) == 1 else {}
    named = query("channel_images")
    images = session.sql(named.sql, named.bind(one))
    of_channel = {
        Channel._make(key): rows
        for key, rows in images.partition_by(_KEY, as_dict=True, include_key=False).items()
    }
    root = session.snapshot.layout.root
    for channel in wanted:
        if channel not in of_channel or channel not in references:
            raise unknown_channel(session, channel)
        stale = of_channel[channel]["reference_checksum"].ne_missing(
            references[channel]["input_checksum"]
        )
        if stale.any():
            raise StaleChannelError(root, channel.part, int(stale.sum()))
    return [
        Source(c, of_channel[c], references[c], _recipe(session, c, of_channel[c], making))
        for c in wanted
    ]


def unknown_channel(session: Session, channel: Channel) -> UnknownChannelError:
    """What the archive has instead of a channel."""
    there = channels(session)
    what = f"there is no {channel.part} with references and images"
    fields = sorted({c.field for c in there})
    filters = sorted({c.fid for c in there if c.field == channel.field})
    quadrants = [c for c in there if c[:2] == channel[:2]]
    if channel.field not in fields:
        hint = f"It has the fields {_listed(fields)}." if fields else "It has none of any field."
    elif channel.fid not in filters:
        hint = f"Field {channel.field} has {_listed(FILTERCODES.get(f, f) for f in filters)}."
    else:
        code = FILTERCODES.get(channel.fid, channel.fid)
        which = _listed(f"c{c.ccdid:02d} q{c.qid}" for c in quadrants)
        hint = f"Field {channel.field} has in {code} the quadrants {which}."
    return UnknownChannelError(session.snapshot.layout.root, what, hint)


def _listed(names: Any, most: int = 12) -> str:
    there = [str(name) for name in names]
    return ", ".join(there[:most]) + (f" and {len(there) - most} more" if there[most:] else "")


def _references(session: Session) -> dict[Channel, dict[str, Any]]:
    rows = session.sql(query("channel_references").sql)
    return {Channel(*(row[name] for name in _KEY)): row for row in rows.iter_rows(named=True)}


def _recipe(session: Session, channel: Channel, images: pl.DataFrame, making: Making) -> str:
    """Checksum of what the file's content follows from.

    All rows of an image follow from its recipes, whichever files hold them.
    """
    references = [digest for _, digest in reference_entries(session.snapshot, channel)]
    ingredients = {
        "code": _code(),
        "making": asdict(making),
        "references": sorted(references),
        "images": images.select("pid", "recipe", "match_recipe").rows(),
    }
    return checksum(json.dumps(ingredients, sort_keys=True).encode())


@cache
def _code() -> str:
    """Checksum of the code that the tables are made by."""
    here = Path(__file__).parent
    packages = [here, here.parents[1] / "transforms"]
    paths = [path for package in packages for path in sorted(package.glob("*.py"))]
    paths.append(here.parents[1] / "store" / "matchfile.py")
    return checksum(b"\0".join(path.read_bytes() for path in paths))
