"""Damaged inputs: each ends in a refusal, or in exactly what astropy reads of the same file.

A number names a case, and gives the same damage again:

    PYTHONPATH=tests python -m torture.fuzz 417        runs it and keeps its files in ./fuzz-417

Cases run in processes of their own, with a limit to their time and to the memory they may have
beyond what the process had before. An end that is neither is wrong: an error that is no refusal, a
refusal that does not say which file and what to do, or that nobody foresaw (`unusable`), a process
that dies, a case that does not end.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
from astropy.io import fits
from catalogues import COLUMNS, scatter, table_of, write_psfcat, write_refpsfcat
from realdata import REAL

from ingest.blocks import read_headers
from ingest.cards import Header, parse_card_lines
from ingest.errors import MetadataTableError, RefusedInput, refusing
from ingest.facts import ChannelFacts
from ingest.metadata import gather_image_facts, gather_reference_facts
from ingest.metadata_table import MATRIX, WHOLE, MetadataTable
from ingest.metadata_table import REAL as REALS
from ingest.pipeline import ingest
from ingest.plan import LookTask, look_at, refusal_of
from ingest.psfcat import COLUMNS as KINDS
from ingest.psfcat import PsfCatalogue, read_header, read_psfcat
from ingest.report import Refusal
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify
from torture import mutations
from torture.edge import REPO
from torture.mutations import Damaged, Mutation

CASE_SECONDS = 10  # of processor time
SILENT_SECONDS = 300  # of the clock
HEADROOM_BYTES = 1_000_000_000
LONG = 10_000
INGESTS, FILES = 5, 300
SHORT = 160

STRUCTURE = re.compile(
    rb"(SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|EXTNAME"
    rb"|(TTYPE|TFORM|TSCAL|TZERO|TNULL)\d+) *= "
)

CONTINUED = re.compile(rb"&' *(/.*)?$")
NAME = "ztf_20240110300000_000600_zr_c07_o_q4_psfcat.fits"
REFERENCE = "ztf_000600_zr_c07_q4_refpsfcat.fits"


@dataclass(frozen=True)
class Subject:
    """A kind of input: sound files of it, how they may be damaged, and who judges the outcome.

    `target` is what the damaged file is called, None for its sound one's name; `beside` is put
    beside it; `judge` takes the damaged file and returns how it ended, and what is wrong.
    """

    name: str
    target: str | None
    sound: tuple[Path, ...]
    kinds: tuple[Mutation, ...]
    judge: Callable[[Path], tuple[str, list[str]]]
    beside: Path | None = None


# --- sound files ------------------------------------------------------------------------------


def subjects(folder: Path) -> list[Subject]:
    """The kinds of input, their sound files written below `folder`; real ones where there are."""
    rng = np.random.default_rng(5)
    ra, dec = scatter(rng, 40)
    plain = write_psfcat(folder / "plain", ra, dec, name=NAME)
    odd = _write_odd(folder / "odd" / NAME, ra, dec)
    reference = write_refpsfcat(folder / "plain", ra, dec)
    nothing = dict.fromkeys(fits.getheader(plain), None)
    bare = write_psfcat(folder / "bare", ra, dec, name=NAME, header=nothing)
    text, image, packed = _write_sciimgs(folder / "sciimg", plain)
    table, parquet = _write_metadata(folder / "metadata")
    real = {
        kind: tuple(sorted((REAL / "psfcat").glob(f"ztf_*_{kind}.fits")))
        for kind in ("psfcat", "refpsfcat")
    }
    real["psfcat"] = tuple(set(real["psfcat"]) - set(real["refpsfcat"]))
    headers = tuple(sorted((REAL / "headers").glob("*.hdr")))
    tables = tuple((REAL / "headers").glob("*.csv"))
    return [
        Subject("psfcat", None, (plain, odd, *real["psfcat"]), mutations.FITS, judge_psfcat),
        Subject(
            "refpsfcat", None, (reference, *real["refpsfcat"]), mutations.FITS, judge_refpsfcat
        ),
        Subject("psfcat", None, (plain, odd), mutations.FITS, judge_psfcat),
        Subject(
            "header text",
            None,
            (text, *headers),
            mutations.HEADERS + mutations.TEXT,
            judge_beside,
            bare,
        ),
        Subject("science image", None, (image,), mutations.HEADERS, judge_beside, bare),
        Subject("packed image", None, (packed,), mutations.HEADERS, judge_beside, bare),
        Subject("metadata", "metadata.csv", (table, *tables), mutations.CSV, judge_csv),
        Subject("metadata", "metadata.parquet", (parquet,), mutations.BINARY, judge_parquet),
    ]


def _write_odd(path: Path, ra: np.ndarray, dec: np.ndarray) -> Path:
    """Columns in another order and in capitals, scaled, with nulls, and others between them."""
    path.parent.mkdir()
    table = table_of(ra, dec).columns
    n = len(ra)
    columns = [fits.Column("name", "7A", array=np.array([f"s{i}" for i in range(n)]))]
    for name in reversed(list(COLUMNS)):
        column = table[name]
        if name == "chi":
            column = fits.Column("chi", "I", null=-1, array=np.arange(n) % 5 - 1)
        columns.append(column)
    columns.append(fits.Column("shape", "3E", array=np.zeros((n, 3))))
    primary = fits.PrimaryHDU(header=fits.getheader(path.parents[1] / "plain" / NAME))
    hdus = fits.HDUList([primary, fits.BinTableHDU.from_columns(columns, name="PSF_CATALOG")])
    hdus.writeto(path)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        number = hdus[1].columns.names.index("chi") + 1
        hdus[1].header[f"TSCAL{number}"], hdus[1].header[f"TZERO{number}"] = 0.01, 2.0
    data = path.read_bytes()
    return _written(path, data.replace(b"'ra      '", b"'RA      '"))


def _write_sciimgs(folder: Path, catalogue: Path) -> tuple[Path, Path, Path]:
    """A science image's header as text, as an image's, and as a packed image's."""
    folder.mkdir()
    header = fits.getheader(catalogue)
    for key, value in {
        "CTYPE1": "RA---TPV",
        "CTYPE2": "DEC--TPV",
        "CRVAL1": 150.0,
        "CRVAL2": 20.0,
    }.items():
        header[key] = value
    header["LONGSTR"] = "a long text that is continued on other cards, " * 3
    stem = NAME.removesuffix("_psfcat.fits")
    text, image, packed = (folder / f"{stem}_sciimg.{end}" for end in ("hdr", "fits", "fits.fz"))
    header.totextfile(text)
    pixels = np.arange(900, dtype="f4").reshape(30, 30)
    fits.PrimaryHDU(pixels, header=header).writeto(image)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header=header)]).writeto(packed)
    return text, image, packed


def _write_metadata(folder: Path) -> tuple[Path, Path]:
    folder.mkdir()
    n = 12
    names = [*WHOLE, *REALS, *MATRIX]
    frame = pl.DataFrame(
        {name: [i + (0.25 if name in REALS else 0) for i in range(1, n + 1)] for name in names}
    )
    frame = frame.with_columns(
        expid=256530000 + pl.int_range(n),
        filefracday=20240110300000 + pl.int_range(n),
        rcid=pl.int_range(n),
        ccdid=pl.int_range(n) // 4 + 1,
        qid=pl.int_range(n) % 4 + 1,
        obsmjd=60319.3 + pl.int_range(n) / 1000,
    )
    frame.write_csv(folder / "sound.csv")
    frame.write_parquet(folder / "sound.parquet", statistics=False)
    return folder / "sound.csv", folder / "sound.parquet"


# --- one case ---------------------------------------------------------------------------------


def write_case(
    number: int, all_subjects: Sequence[Subject], folder: Path
) -> tuple[Subject, Path, str]:
    """Write a case's files; returns its subject, the damaged file, and what was done to it."""
    rng = Random(f"fuzz {number}")
    turn, which = divmod(number, len(all_subjects))
    subject = all_subjects[which]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = rng.choice(subject.sound)
    name = subject.target or source.name
    if subject.beside is not None:
        shutil.copy(subject.beside, folder / catalogue_of(name))
    sound, other = source.read_bytes(), rng.choice(subject.sound).read_bytes()
    kinds = [subject.kinds[turn % len(subject.kinds)]]
    kinds += rng.choices(subject.kinds, k=rng.choice((0, 0, 0, 1, 2)))
    damaged = Damaged(sound)
    for kind in kinds:
        # Nothing is left to damage once all is cut off.
        if len(damaged.data) >= 100:
            made = kind(rng, damaged.data, other)
            damaged = made if isinstance(made, Damaged) else damaged._replace(data=made)
    path = _written(folder / name, damaged.data)
    if damaged.size is not None:
        os.truncate(path, max(damaged.size, len(damaged.data)))
    return subject, path, ", ".join(kind.__name__ for kind in kinds)


def catalogue_of(name: str) -> str:
    """The catalogue that a science header belongs to."""
    return name[: name.index("_sciimg")] + "_psfcat.fits"


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def run_case(number: int, all_subjects: Sequence[Subject], folder: Path) -> tuple[str, list[str]]:
    """Run one case; returns how it ended, and what is wrong."""
    subject, path, kinds = write_case(number, all_subjects, folder)
    what = f"case {number} ({subject.name}: {kinds})"
    try:
        with time_limit(CASE_SECONDS):
            end, wrong = subject.judge(path)
    except BaseException as error:  # whatever it is, it is no refusal
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        end, wrong = "error", [f"{type(error).__name__}: {str(error)[:300]}"]
    return f"{subject.name} {end}", [f"{what}: {one}" for one in wrong]


class TooSlowError(BaseException):
    """A case takes too long."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlowError(f"not done after {seconds} s of work")

    # Processor time: others may keep it waiting. What waits by itself is ended from outside.
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# --- judges -----------------------------------------------------------------------------------


def judge_psfcat(path: Path) -> tuple[str, list[str]]:
    """As an ingest reads it: first the header of it, then the columns."""
    (seen,) = look_at(LookTask((path,), ArchiveSettings(), None))
    if isinstance(seen, Refusal):
        return _refused(seen, path)
    return _judge_rows(path, seen.facts, gather_image_facts)


def judge_refpsfcat(path: Path) -> tuple[str, list[str]]:
    """As `add-references` reads it."""
    try:
        with refusing(path):
            facts = gather_reference_facts(path, read_header(path))
    except RefusedInput as error:
        return _refused(refusal_of(error, path), path)
    return _judge_rows(path, facts, gather_reference_facts)


def judge_beside(path: Path) -> tuple[str, list[str]]:
    """A science header beside a catalogue that says nothing itself."""
    catalogue = path.with_name(catalogue_of(path.name))
    (seen,) = look_at(LookTask((catalogue,), ArchiveSettings(), None))
    if isinstance(seen, Refusal):
        return _refused(seen, catalogue)
    try:
        theirs = _headers_beside(path)
    except Exception as error:
        return "read, not by astropy", [f"read, but astropy says: {error!r}"]
    try:
        with patch("ingest.metadata._headers_of", return_value=theirs):
            expected = gather_image_facts(catalogue, read_header(catalogue))
    except RefusedInput as error:
        return "read", [f"read, but refused with astropy's values: {error}"]
    return "read", _different(seen.facts, expected)


def _judge_rows(
    path: Path, facts: ChannelFacts, gather: Callable[[Path, Header], ChannelFacts]
) -> tuple[str, list[str]]:
    try:
        with refusing(path):
            catalogue = read_psfcat(path)
    except RefusedInput as error:
        return _refused(refusal_of(error, path), path)
    try:
        wrong, theirs = _compared(path, catalogue)
    except Exception as error:
        # It may stumble over cards that have nothing to do with rows.
        try:
            wrong, _ = _compared(_bared(path), catalogue)
        except Exception as again:
            return "read, not by astropy", [f"read, but astropy says: {error!r}, {again!r}"]
        return "read, bare by astropy", wrong
    if wrong and b"CONTINUE" in path.read_bytes():
        # It goes on with values that do not end in an ampersand, against the standard (4.2.1.2).
        wrong, _ = _compared(_bared(path), catalogue)
    try:
        return "read", wrong + _different(facts, gather(path, theirs))
    except RefusedInput as error:
        return "read", [*wrong, f"read, but refused with astropy's values: {error}"]


def _compared(path: Path, ours: PsfCatalogue) -> tuple[list[str], Header]:
    """In what our rows differ from astropy's; the header of HDU0 as astropy understands it."""
    with _open(path) as hdus:
        return _different_rows(ours, _table_of(hdus)), plain_header(hdus[0].header, ours.header)


def _bared(path: Path) -> Path:
    """The file with nothing in its headers but what tells where rows and columns are."""
    data = bytearray(path.read_bytes())
    for start, end in mutations.headers_of(bytes(data)):
        for at in range(start, end, mutations.CARD):
            if not STRUCTURE.match(data[at : at + 10]):
                data[at : at + mutations.CARD] = b"COMMENT".ljust(mutations.CARD)
    return _written(path.with_name("bare.fits"), bytes(data))


def _refused(refusal: Refusal, path: Path) -> tuple[str, list[str]]:
    """A refusal names the file and says what is wrong and what to do, on one printable line."""
    wrong = []
    if refusal.code == "unusable":
        wrong.append(f"nobody foresaw: {refusal}")
    if refusal.input_file != path.name or path.name not in str(refusal):
        wrong.append(f"the file is not named: {refusal!r}")
    if not refusal.what or not refusal.hint or not str(refusal).isprintable():
        wrong.append(f"not a printable line that says what to do: {refusal!r}")
    return refusal.code, wrong


# --- what astropy reads -----------------------------------------------------------------------


@contextmanager
def _open(path: Path) -> Iterator[fits.HDUList]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=True, ignore_missing_simple=False) as hdus:
            yield hdus


def _table_of(hdus: fits.HDUList) -> fits.BinTableHDU:
    """The table PSF_CATALOG, else the first of the widest; what follows that is not looked at."""
    tables = []
    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU):
            if hdu.name.upper() == "PSF_CATALOG":
                return hdu
            tables.append(hdu)
    return max(tables, key=lambda hdu: hdu.header["TFIELDS"])


def _different_rows(ours: PsfCatalogue, table: fits.BinTableHDU) -> list[str]:
    """Columns in which ours and the table's differ, by bytes."""
    wrong = []
    stored = table.data.view(table.data.dtype, np.ndarray)
    if len(stored) != ours.n_rows:
        wrong.append(f"{ours.n_rows} rows are read, astropy reads {len(stored)}")
        return wrong
    by_name = {column.name.lower(): column for column in table.columns}
    for name, values in ours.columns.items():
        if name in by_name:
            theirs = _values(stored[by_name[name].name], by_name[name], KINDS[name])
            if theirs.tobytes() != values.tobytes():
                wrong.append(f"column {name} is not as astropy reads it")
        elif name != "sourceid":
            wrong.append(f"column {name} is not astropy's")
    return wrong


def _values(stored: np.ndarray, column: fits.Column, kind: type[np.generic]) -> np.ndarray:
    scale = 1 if column.bscale in ("", None) else column.bscale
    zero = 0 if column.bzero in ("", None) else column.bzero
    with np.errstate(all="ignore"):
        if np.dtype(kind).kind == "i":
            return np.array([int(value) + int(zero) for value in stored], kind)
        if (scale, zero, column.null) == (1, 0, None):
            return stored.astype(kind)
        values = stored.astype("f8") * scale + zero
        if column.null is not None and stored.dtype.kind in "iu":
            values[stored == column.null] = np.nan
        return values.astype(kind)


def plain_header(header: fits.Header, ours: Header) -> Header:
    """Keywords and values as astropy understands them, the first of each keyword.

    Where it does not, because a card is no FITS, nothing can be held against what we took.
    """
    found = Header()
    passed_over = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in header.cards:
            if one.keyword in found or one.keyword in passed_over:
                continue
            try:
                value = one.value
            except (fits.VerifyError, ValueError):
                passed_over.add(one.keyword)
                continue
            if isinstance(value, str | int | float | bool):
                found[one.keyword] = value
    return Header(found | {key: ours[key] for key in passed_over if key in ours})


def _headers_beside(path: Path) -> list[Header]:
    """What a science header says: of HDU0, and of HDU1 where HDU0 has no data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".hdr":
            text = path.read_bytes()
            lines = text.replace(b"\r\n", b"\n").split(b"\n")
            header = _header([line[:80].ljust(80) for line in lines])
            return [plain_header(header, parse_card_lines(text))]
        data = path.read_bytes()
        pairs = zip(_first_headers(data), read_headers(path), strict=True)
        return [plain_header(theirs, ours) for theirs, ours in pairs]


def _first_headers(data: bytes) -> Iterator[fits.Header]:
    """HDU0's, and HDU1's if it follows at once."""
    at = 0
    while at == 0 or data[at : at + 8] == b"XTENSION":
        end = next(i for i in range(at, len(data), 80) if data[i : i + 80] == mutations.END)
        header = _header([data[i : i + 80] for i in range(at, end, 80)])
        yield header
        sizes = plain_header(header, Header())
        if at or (sizes["NAXIS"] != 0 and 0 not in map(sizes.get, ("NAXIS1", "NAXIS2"))):
            return
        at = end - end % 2880 + 2880


def _header(cards: list[bytes]) -> fits.Header:
    """What astropy makes of cards. CONTINUE cards are left out if one goes on with nothing."""
    for before, card in pairwise([b"", *cards]):
        if card[:8] == b"CONTINUE" and not CONTINUED.search(before):
            cards = [card for card in cards if card[:8] != b"CONTINUE"]
            break
    return fits.Header.fromstring(b"".join(cards))


def _different(ours: ChannelFacts, theirs: ChannelFacts) -> list[str]:
    names = {field.name for field in fields(ours)} - {"wcs_cards", "metadata_from", "filefracday"}
    return [
        f"{name} is taken as {getattr(ours, name)!r}, astropy's is {getattr(theirs, name)!r}"
        for name in sorted(names)
        if not _same(getattr(ours, name), getattr(theirs, name))
    ]


def _same(our: Any, their: Any) -> bool:
    """Equal; astropy drops an ampersand that nothing goes on with, which is part of the text."""
    if isinstance(our, str) and isinstance(their, str):
        return our.rstrip("&") == their.rstrip("&") or their.endswith("&")
    return bool(our == their)


# --- metadata tables --------------------------------------------------------------------------


def judge_csv(path: Path) -> tuple[str, list[str]]:
    """Every image that Python's own reader finds with numbers is found with the same numbers."""
    ended, table = _read_table(path)
    if table is None:
        return ended
    data = path.read_bytes()
    if b"\r" in data.replace(b"\r\n", b"\n"):
        return "read, not by csv", []  # it takes a lone one for the end of a line
    try:
        text = data.decode("utf-8-sig")
        names, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error):
        return "read, not by csv", []
    rows = [row for row in rows if row]
    # Of columns of one name the first counts.
    named = [dict(reversed(list(zip(names, row, strict=False)))) for row in rows]
    return "read", _different_table(table, named)


def judge_parquet(path: Path) -> tuple[str, list[str]]:
    """It is refused or read; what its pages hold has no checksum to be judged by."""
    ended, table = _read_table(path)
    return ended if table is None else ("read", [])


def _read_table(path: Path) -> tuple[tuple[str, list[str]], MetadataTable | None]:
    try:
        return ("read", []), MetadataTable.read(path)
    except MetadataTableError as error:
        wrong = [] if str(path) in str(error) and error.hint else [f"names no file: {error}"]
        if not str(error).isprintable():
            wrong.append(f"not printable: {str(error)!r}")
        return (error.code, wrong), None


def _different_table(table: MetadataTable, rows: Sequence[dict[str, str]]) -> list[str]:
    wrong = []
    frame = table.frame
    if len(rows) != frame.height:
        return [f"{frame.height} rows are read, there are {len(rows)}"]
    for name in set(frame.columns) - ({"rcid"} - rows[0].keys() if rows else set()):
        theirs = [
            row.get({new: old for old, new in MATRIX.items()}.get(name, name)) for row in rows
        ]
        for number, (our, their) in enumerate(zip(frame[name].to_list(), theirs, strict=True)):
            if our is not None and our == our and (their is None or not _same_number(our, their)):
                wrong.append(f"row {number}, {name}: {our!r} of {their!r}")
    return wrong[:3]


def _same_number(our: float, text: str) -> bool:
    if isinstance(our, int):
        with suppress(ValueError):
            return int(text) == our
    try:
        return float(text) == our
    except ValueError:
        return False


def at_length(work: Path, share: int) -> tuple[dict[str, int], list[str]]:
    """All of it, or one in `share`: figures, and what is wrong."""
    ends, wrong = run(work / "cases", LONG // share)
    refused = 0
    for first in range(max(1, INGESTS // share)):
        count, of_ingest = ingest_among_good(work / f"ingest-{first}", FILES, first * FILES)
        refused, wrong = refused + count, wrong + of_ingest
    cases = ends.total()
    read = sum(count for end, count in ends.items() if " read" in end)
    died = sum(count for end, count in ends.items() if end.endswith(("died", "error")))
    return {
        "damaged inputs": cases,
        "read as astropy reads them": read,
        "refused": cases - read - died,
        "crashes, hangs, too much memory": died,
        "damaged catalogues among sound ones": max(1, INGESTS // share) * FILES * 4 // 5,
        "of them refused": refused,
    }, wrong


# --- whole ingests ----------------------------------------------------------------------------


def ingest_among_good(work: Path, count: int, first: int = 0) -> tuple[int, list[str]]:
    """Ingest damaged catalogues beside sound ones, all of one night: refused, and what is wrong.

    Each is of another image, so that none is refused because of another.
    """
    rng = np.random.default_rng(first)
    ra, dec = scatter(rng, 30)
    names = [f"ztf_{20240110200000 + n}_000600_zr_c07_o_q4_psfcat.fits" for n in range(count)]
    raw = work / "raw"
    damaged = []
    for number, name in enumerate(names):
        path = write_psfcat(raw, ra, dec, obsmjd=60319.2 + number / 10_000, name=name)
        if number % 5:
            chance = Random(f"ingest {first + number}")
            data = path.read_bytes()
            for _ in range(chance.choice((1, 1, 2))):
                kind = chance.choice([k for k in mutations.FITS if k is not mutations.huge_claims])
                made = kind(chance, data, data) if len(data) >= 100 else data
                data = made if isinstance(made, bytes) else made.data
            path.write_bytes(data)
            damaged.append(path)
    root = work / "archive"
    create_archive(root, ArchiveSettings())
    report = ingest(root, [raw], workers=1)
    wrong = [str(finding) for finding in verify(root)]
    snapshot = open_snapshot(root)
    images = pl.read_parquet(snapshot.files("images"))
    rows = pl.read_parquet(snapshot.files("detections"))
    counted = dict(rows.group_by("expid").len().iter_rows())
    refused = {refusal.input_file for refusal in report.refusals if refusal.n_rows is None}
    published = dict(images.select("input_file", "n_published").iter_rows())
    wrong += [
        f"{name} is refused: {name in refused}, published: {name in published}"
        for name in names
        if (name in refused) == (name in published)
    ]
    wrong += [
        f"{name} is sound, {published.get(name)} rows are published"
        for name in set(names) - {path.name for path in damaged}
        if published.get(name) != len(ra)
    ]
    for expid, read, out, bad in images.select(
        "expid", "n_read", "n_published", "n_refused"
    ).rows():
        if read != out + bad or counted.get(expid, 0) != out:
            wrong.append(f"exposure {expid}: {read} read, {out} published, {bad} refused")
    stored = pl.read_parquet(snapshot.files("refusals"))
    if sorted(stored["input_file"]) != sorted(r.input_file for r in report.refusals):
        wrong.append("the table of refusals does not hold what was refused")
    wrong += [f"nobody foresaw: {one}" for one in report.refusals if one.code == "unusable"]
    return len(refused), wrong


# --- many cases, in processes of their own ----------------------------------------------------


def run(work: Path, count: int = LONG, first: int = 0) -> tuple[Counter[str], list[str]]:
    """Run cases `first` to `first + count`: how many ended in what way, and what is wrong."""
    ends: Counter[str] = Counter()
    wrong: list[str] = []
    number, last = first, first + count
    while number < last:
        begun = None
        for line in _lines(work, number, last):
            answer = json.loads(line)
            if "begun" in answer:
                begun = answer["begun"]
                continue
            ends[answer["end"]] += 1
            wrong += answer["wrong"]
            number, begun = number + 1, None
        if number < last:
            if begun is None:
                raise RuntimeError("the process of the cases ended before it began one")
            ends["died"] += 1
            wrong.append(f"case {number}: its process died, or did not end")
            number += 1
    return ends, wrong


def _lines(work: Path, first: int, last: int) -> Iterator[str]:
    """What the process of some cases says, until it ends, or says nothing for too long."""
    paths = os.pathsep.join([str(REPO), str(REPO / "tests")])
    command = [sys.executable, "-m", "torture.fuzz", str(first), str(last), str(work)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        assert process.stdout is not None
        try:
            while select.select([process.stdout], [], [], SILENT_SECONDS)[0]:
                line = process.stdout.readline()
                if not line:
                    return
                yield line
        finally:
            process.kill()


def limit_memory(headroom_bytes: int) -> None:
    """From here on the process may have so much more address space than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + headroom_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def serve(first: int, last: int, work: Path) -> None:
    """Run cases, and say a line when one begins and a line when it has ended."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        all_subjects = subjects(Path(folder))
        limit_memory(HEADROOM_BYTES)
        for number in range(first, last):
            print(json.dumps({"begun": number}), flush=True)
            end, wrong = run_case(number, all_subjects, Path(folder) / "case")
            print(json.dumps({"end": end, "wrong": wrong}), flush=True)


def main(arguments: Sequence[str]) -> None:
    if len(arguments) == 3:
        serve(int(arguments[0]), int(arguments[1]), Path(arguments[2]))
        return
    number = int(arguments[0])
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        end, wrong = run_case(number, subjects(Path(folder)), Path(f"fuzz-{number}"))
        print(f"{end}, {time.monotonic() - started:.1f} s", *wrong, sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
