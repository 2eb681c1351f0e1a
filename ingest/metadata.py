"""What is known of an image, each value from the first that has it.

The order is: the catalogue's own header, for the world coordinates a SCAMP header beside it, the
science image's header beside it, the archive's metadata table, the file's name. What nobody knows
is None, never guessed; what says which image it is must be known, and no source may contradict
another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.blocks import read_headers, read_text
from ingest.cards import Header, parse_card_lines
from ingest.errors import (
    ContradictoryMetadata,
    ImpossibleDate,
    IncompleteMetadata,
    RefusedInput,
    TruncatedFile,
    UnknownFilter,
)
from ingest.facts import ChannelFacts, ImageFacts, ReferenceFacts
from ingest.filenames import parse_name
from ingest.keywords import (
    MEANT,
    WCS_NUMBERS,
    Facts,
    facts_of_date,
    facts_of_header,
    facts_of_numbers,
    facts_of_wcs,
    real,
)
from transforms.identifiers import FILTERCODES, is_rfid_of, rcid_unchecked
from transforms.identifiers import expid as expid_of
from transforms.identifiers import rfid as rfid_of

if TYPE_CHECKING:
    from ingest.metadata_table import MetadataTable  # its polars is no work of a worker

SIDECARS = ("_sciimg.hdr", "_sciimg.fits", "_sciimg.fits.fz")
HEADS = ("_psfcat.head", "_sciimg.head")  # as SCAMP writes them
IDENTITY = ("field", "fid", "ccdid", "qid", "rcid", "expid")
LIMITS = {"field": (0, 32_767), "ccdid": (1, 16), "qid": (1, 4), "rcid": (0, 63)}
SAME_START_DAYS = 1 / 86_400  # sources that round OBSMJD still agree to a second
# An exposure id counts steps of 0.864 s: a rounded OBSMJD may be off by one, two are spared.
SAME_EXPID = 2

# Source as `metadata_from` names it: as a message does.
SOURCES = {
    "header": "header",
    "head": "SCAMP header",
    "sciimg": "science header",
    "table": "metadata table",
    "filename": "name",
}
Sources = dict[str, Facts]


def gather_image_facts(
    path: Path, header: Header, *, table: MetadataTable | None = None
) -> ImageFacts:
    """What is known of the image whose psfcat is `path` with HDU0 keywords `header`.

    Raises
    ------
    IncompleteMetadata : no source knows field, filter, channel or date.
    ContradictoryMetadata : two sources differ on them, or EXPID is not that of OBSMJD.
    ImpossibleDate : only dates that cannot be true are known.
    UnknownFilter : the filter is none of g, r, i.
    TruncatedFile : a card that counts is damaged, or the science header beside it is. Going on
        without it could publish, say, a bad image as good, for want of its INFOBITS.
    """
    path = Path(path)
    name = _of_name(path)
    sources: Sources = {"header": facts_of_header(_undamaged(path, header))}
    if "crval1" not in sources["header"]:
        sources["head"] = _of_head(path)
    if _lacking(sources):
        sources["sciimg"] = _of_sidecar(path)
    if table is not None and _lacking(sources):
        sources["table"] = _of_table(table, {**sources, "filename": name}, path)
    sources["filename"] = name
    facts = _agreed(path, sources, ImageFacts)
    of_date = expid_of(facts["obsmjd"])
    if abs(facts.setdefault("expid", of_date) - of_date) > SAME_EXPID:
        both = [(facts["expid"], _who_said(sources, "expid")), (of_date, "OBSMJD")]
        raise ContradictoryMetadata(path, "expid", both)
    return ImageFacts(**_chosen(facts, ImageFacts))


def gather_reference_facts(path: Path, header: Header) -> ReferenceFacts:
    """What is known of the reference image whose refpsfcat is `path`; raises as for an image.

    An RFID that is not of the image's field, filter and readout channel is a contradiction too.
    """
    path = Path(path)
    of_header = facts_of_header(_undamaged(path, header))
    sources = {"header": of_header, "filename": _of_name(path)}
    facts = _agreed(path, sources, ReferenceFacts)
    field, fid, rcid = facts["field"], facts["fid"], facts["rcid"]
    if not is_rfid_of(facts.setdefault("rfid", rfid_of(field, fid, rcid)), field, fid, rcid):
        expected = (rfid_of(field, fid, rcid), "channel's numbering")
        said = [(facts["rfid"], _who_said(sources, "rfid")), expected]
        raise ContradictoryMetadata(path, "rfid", said)
    return ReferenceFacts(**_chosen(facts, ReferenceFacts))


def _chosen(facts: Facts, kind: type[ChannelFacts]) -> Facts:
    return {name: facts.get(name) for name in _names(kind)}


def _names(kind: type[ChannelFacts]) -> list[str]:
    return [field.name for field in fields(kind)]


def _lacking(sources: Sources) -> bool:
    known = set().union(*sources.values())
    return bool({*_names(ImageFacts)} - known - {"filefracday", "metadata_from"})


def _of_name(path: Path) -> Facts:
    name = parse_name(path.name)
    if name is None:
        return {}
    facts = {key: getattr(name, key) for key in ("field", "fid", "ccdid", "qid", "filefracday")}
    return {key: value for key, value in facts.items() if value is not None}


def sidecars_of(path: Path) -> list[Path]:
    """What stands beside a psfcat and tells of it: a SCAMP header, a science image's header."""
    return [file for file in (_beside(path, HEADS), _beside(path, SIDECARS)) if file is not None]


def _beside(path: Path, suffixes: Iterable[str]) -> Path | None:
    stem = path.name.removesuffix("_psfcat.fits")
    beside = (path.with_name(stem + suffix) for suffix in suffixes)
    # Not `Path.is_file`: it raises where the longer name is too long to be one.
    return next((file for file in beside if os.path.isfile(file)), None)  # noqa: PTH113


def _of_head(path: Path) -> Facts:
    """The world coordinates of a SCAMP header; its photometry is none of the image's."""
    beside = _beside(path, HEADS)
    if beside is None:
        return {}
    try:
        facts = facts_of_header(_undamaged(beside, parse_card_lines(read_text(beside))))
    except RefusedInput as error:
        raise TruncatedFile(path, f"its SCAMP header {beside.name} {error.what}") from error
    if "crval1" not in facts:
        raise TruncatedFile(path, f"its SCAMP header {beside.name} has no world coordinates")
    return {name: facts[name] for name in (*WCS_NUMBERS, "wcs_cards")}


def _of_sidecar(path: Path) -> Facts:
    beside = _beside(path, SIDECARS)
    if beside is None:
        return {}
    try:
        headers = [_undamaged(beside, header) for header in _headers_of(beside)]
    except RefusedInput as error:
        raise TruncatedFile(path, f"its science header {beside.name} {error.what}") from error
    facts: Facts = {}
    for header in headers:
        facts = facts_of_header(header) | facts
    if not facts:
        raise TruncatedFile(path, f"its science header {beside.name} says nothing")
    return facts


def _undamaged(path: Path, header: Header) -> Header:
    """The header, refused if it says something that counts and cannot be read."""
    if damaged := sorted(header.unreadable & MEANT):
        raise TruncatedFile(path, f"has no value that can be read in its card {damaged[0]}")
    return header


def _headers_of(path: Path) -> list[Header]:
    if path.suffix == ".hdr":
        return [parse_card_lines(read_text(path))]
    return read_headers(path)  # a compressed image keeps its header in the first extension


def _of_table(table: MetadataTable, sources: Sources, path: Path) -> Facts:
    known = {key: value for facts in reversed(sources.values()) for key, value in facts.items()}
    _complete_channel(path, "header", known)
    expid = known.get("expid")
    if expid is None and "obsmjd" in known:
        expid = expid_of(known["obsmjd"])
    if "rcid" not in known:
        return {}
    row = table.find(known["rcid"], filefracday=known.get("filefracday"), expid=expid)
    return {} if row is None else _of_row(row)


def _of_row(row: Mapping[str, Any]) -> Facts:
    numbers = {k: v if isinstance(v, int) else real(v) for k, v in row.items()}
    facts = facts_of_numbers(
        {k: v for k, v in numbers.items() if k not in WCS_NUMBERS and k not in {"obsjd", "obsmjd"}}
    )
    facts |= facts_of_date(row.get("obsmjd"), row.get("obsjd"))
    return facts | facts_of_wcs({name: real(row.get(name)) for name in WCS_NUMBERS}, None)


def _agreed(path: Path, sources: Sources, kind: type[ChannelFacts]) -> Facts:
    """All facts, the first source's first, with `metadata_from`; refuses what is not certain."""
    for source, said in sources.items():
        _complete_channel(path, source, said)
    needed = [*LIMITS, "fid", *(["obsmjd"] if kind is ImageFacts else [])]
    facts: Facts = {}
    used = []
    for source, said in sources.items():
        if (said.keys() - facts.keys()) & {*_names(kind)}:
            used.append(source)
        facts = said | facts
    if "obsmjd" in needed and "obsmjd" not in facts and "impossible_date" in facts:
        raise ImpossibleDate(path, facts["impossible_date"])
    if missing := [key for key in needed if key not in facts]:
        raise IncompleteMetadata(path, missing)
    if facts["fid"] not in FILTERCODES:
        raise UnknownFilter(path, facts["fid"])
    _check(path, sources, facts)
    return facts | {"metadata_from": ",".join(used)}


def _complete_channel(path: Path, source: str, facts: Facts) -> None:
    """CCD and quadrant from the readout channel or the reverse, which must agree."""
    if "ccdid" in facts and "qid" in facts:
        rcid = rcid_unchecked(facts["ccdid"], facts["qid"])
        if facts.setdefault("rcid", rcid) != rcid:
            said = [(facts["rcid"], SOURCES[source]), (rcid, "CCD and quadrant there")]
            raise ContradictoryMetadata(path, "rcid", said)
    elif "rcid" in facts:
        facts.setdefault("ccdid", facts["rcid"] // 4 + 1)
        facts.setdefault("qid", facts["rcid"] % 4 + 1)


def _check(path: Path, sources: Sources, facts: Facts) -> None:
    for key in (*IDENTITY, "obsmjd"):
        for source, said in sources.items():
            if key in said and not _same(key, said[key], facts[key]):
                both = [(facts[key], _who_said(sources, key)), (said[key], SOURCES[source])]
                raise ContradictoryMetadata(path, key, both)
    for key, (least, most) in LIMITS.items():
        if not least <= facts[key] <= most:
            allowed = (f"{least}–{most}", "survey's numbering")
            said_of = [(facts[key], _who_said(sources, key)), allowed]
            raise ContradictoryMetadata(path, key, said_of)


def _same(key: str, one: Any, other: Any) -> bool:
    # A filter may be a name that is no filter's.
    return abs(one - other) <= SAME_START_DAYS if key == "obsmjd" else bool(one == other)


def _who_said(sources: Sources, key: str) -> str:
    return SOURCES[next(name for name, said in sources.items() if key in said)]
