"""Are rows conserved, from each input file to its night? What `verify --deep` counts again.

    read        = published + refused, of each image, with the refusals that are told of it
    published   = the rows that detections hold of the image; matched = those that have an oid
    exposures   = the sums over their images
    nights      = the sums over theirs

References and imports likewise. A night of which a file is damaged is not counted: that is said
already.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from store.findings import AGAIN, BACKUP, IMPORT, Finding
from store.manifest import FileEntry

# Of detections, read at a time: 21 bytes each.
COUNTED_ROWS = 1_000_000
# Of one kind of fault in a night, named one by one.
NAMED = 20
_REFUSED = ("input_file", "input_checksum", "n_rows")
_EXPOSURE = ("expid", "n_images", "n_published", "n_matched")
_NIGHT = ("n_exposures", "n_images", "n_bad_images")
_SUMS = ("n_read", "n_published", "n_refused", "n_matched", "n_unmatched")

# Rows of each image (expid, rcid), and of those with an oid; by night, 20240110.
Counts = dict[str, dict[tuple[int, int], tuple[int, int]]]
Row = dict[str, Any]


@dataclass(slots=True)
class _Parts:
    """The files of nights and fields by part, and the parts that a damaged file belongs to."""

    files: dict[tuple[str, str], list[FileEntry]] = field(default_factory=lambda: defaultdict(list))
    doubtful: set[str] = field(default_factory=set)

    def rows(self, root: Path, table: str, part: str, columns: Sequence[str]) -> list[Row]:
        """Some columns of a table's part."""
        rows: list[Row] = []
        for entry in self.files.get((table, part), ()):
            rows += pq.ParquetFile(root / entry.path).read(list(columns)).to_pylist()
        return rows

    def names(self, table: str) -> list[str]:
        """The parts that a table has."""
        return sorted(part for name, part in self.files if name == table)


def check_rows(
    root: Path, entries: Sequence[FileEntry], sound: Iterable[FileEntry]
) -> Iterator[Finding]:
    """Count the rows of all nights and references again.

    Parameters
    ----------
    entries : all published files.
    sound : those that are what was published.
    """
    parts = _Parts()
    known = {entry.path for entry in sound}
    for entry in entries:
        parts.files[entry.table, entry.part].append(entry)
        if entry.path not in known:
            parts.doubtful |= set(entry.nights or [entry.part])
    periods = [part for part in parts.names("detections") if "-" in part]
    left = {*parts.names("images"), *parts.names("detections")} - set(periods)
    for period in periods:  # one at a time is in memory
        files = parts.files["detections", period]
        nights = {night for entry in files for night in entry.nights or ()}
        counts: Counts = defaultdict(dict)
        if not nights & parts.doubtful:
            _count(root, files, counts)
        for night in sorted(nights):
            yield from _check_night(root, parts, night, counts)
        left -= nights
    for night in sorted(left):
        yield from _check_night(root, parts, night, defaultdict(dict))
    yield from _check_references(root, parts)
    yield from _check_imports(root, parts)


def _count(root: Path, files: Iterable[FileEntry], counts: Counts) -> None:
    """Add the rows of some files of detections to `counts`."""
    keys = ["night", "expid", "rcid"]
    for entry in files:
        with pq.ParquetFile(root / entry.path) as file:
            for batch in file.iter_batches(COUNTED_ROWS, columns=[*keys, "oid"]):
                grouped = pa.table(batch).group_by(keys)
                found = grouped.aggregate([([], "count_all"), ("oid", "count")])
                for row in found.to_pylist():
                    night = f"{row['night']:%Y%m%d}"
                    image = row["expid"], row["rcid"]
                    rows, matched = counts[night].get(image, (0, 0))
                    rows, matched = rows + row["count_all"], matched + row["oid_count"]
                    counts[night][image] = rows, matched


def _check_night(root: Path, parts: _Parts, night: str, counts: Counts) -> Iterator[Finding]:
    if night in parts.doubtful:
        return
    own = parts.files.get(("detections", night), [])
    _count(root, own, counts)
    images = parts.rows(root, "images", night, ["pid", "expid", "rcid", "input_file", "is_bad",
                                                "input_checksum", *_SUMS])  # fmt: skip
    refusals = _refused(parts.rows(root, "refusals", night, _REFUSED))
    exposures = parts.rows(root, "exposures", night, _EXPOSURE)
    stated = parts.rows(root, "nights", night, [*_NIGHT, *_SUMS])
    for faults in (
        _check_images(night, images, counts[night]),
        _check_refusals(f"night {night}", images, refusals),
        _check_exposures(night, images, exposures),
        _check_sums(night, images, stated),
    ):
        yield from _named(night, faults)


def _named(night: str, faults: Iterator[Finding]) -> Iterator[Finding]:
    """The first faults one by one, the others in one."""
    yield from islice(faults, NAMED)
    if others := list(faults):
        what = f"{len(others)} more of the kind: {others[0].where} {others[0].what} …"
        yield Finding(others[0].code, f"night {night}", what, others[0].remedy)


def _check_images(
    night: str, images: Sequence[Row], counts: Mapping[tuple[int, int], tuple[int, int]]
) -> Iterator[Finding]:
    """What `images` states, against the rows in detections and against itself."""
    listed = set()
    for image in images:
        key = image["expid"], image["rcid"]
        listed.add(key)
        where = f"night {night}, image {image['pid']}"
        rows, matched = counts.get(key, (0, 0))
        for name, found, said in (
            ("n_published", rows, "rows in detections"),
            ("n_matched", matched, "rows in detections with an oid"),
            ("n_unmatched", rows - matched, "rows in detections without an oid"),
            ("n_read", image["n_published"] + image["n_refused"], "published and refused"),
        ):
            if image[name] != found:
                what = f"{name} is {image[name]}, {said} are {found}"
                yield Finding("image_rows", where, what, AGAIN)
    for (expid, rcid), (rows, _) in sorted(counts.items()):
        if (expid, rcid) not in listed:
            where = f"night {night}, expid {expid}, rcid {rcid}"
            what = f"{rows} rows in detections are of an image that is not in images"
            yield Finding("orphans", where, what, AGAIN)


def _refused(refusals: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Rows that were refused of each input."""
    rows: Counter[tuple[str, str]] = Counter()
    for refusal in refusals:
        if refusal["n_rows"] is not None:
            rows[refusal["input_file"], refusal["input_checksum"]] += refusal["n_rows"]
    return rows


def _check_refusals(
    group: str, images: Iterable[Row], refused: Counter[tuple[str, str]], remedy: str = AGAIN
) -> Iterator[Finding]:
    """Each row that an image refused is told in `refusals`, and no other."""
    left = Counter(refused)
    for image in images:
        told = left.pop((image["input_file"], image["input_checksum"]), 0)
        if told != image["n_refused"]:
            what = f"n_refused is {image['n_refused']}, refusals tell of {told} rows"
            yield Finding("refused_rows", f"{group}, {image['input_file']}", what, remedy)
    for (name, _), rows in sorted(left.items()):
        what = f"refusals tell of {rows} rows of an input that is not published"
        yield Finding("refused_rows", f"{group}, {name}", what, remedy)


def _check_exposures(
    night: str, images: Iterable[Row], exposures: Iterable[Row]
) -> Iterator[Finding]:
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    for image in images:
        one = {"n_images": 1, **{name: image[name] for name in _EXPOSURE[2:]}}
        sums[image["expid"]].update(one)
    stated = {row["expid"]: row for row in exposures}
    for expid in sorted({*sums, *stated}):
        found = {name: sums[expid][name] for name in _EXPOSURE[1:]}
        said = {name: stated.get(expid, {}).get(name) for name in _EXPOSURE[1:]}
        if found != said:
            what = f"exposures says {_words(said)}; its images give {_words(found)}"
            yield Finding("exposure_rows", f"night {night}, exposure {expid}", what, AGAIN)


def _check_sums(night: str, images: Sequence[Row], stated: Sequence[Row]) -> Iterator[Finding]:
    found: dict[str, int] = {name: sum(image[name] for image in images) for name in _SUMS}
    found |= {
        "n_exposures": len({image["expid"] for image in images}),
        "n_images": len(images),
        "n_bad_images": sum(image["is_bad"] for image in images),
    }
    if len(stated) != 1:
        what = f"has {len(stated)} rows in nights"
        yield Finding("night_rows", f"night {night}", what, AGAIN)
        return
    wrong = {name for name, value in found.items() if stated[0][name] != value}
    if wrong:
        said = _words({name: stated[0][name] for name in sorted(wrong)})
        gives = _words({name: found[name] for name in sorted(wrong)})
        what = f"nights says {said}; its images give {gives}"
        yield Finding("night_rows", f"night {night}", what, AGAIN)


def _check_references(root: Path, parts: _Parts) -> Iterator[Finding]:
    """The rows of each reference image, against its sources."""
    rows: Counter[int] = Counter()
    doubtful: set[int] = set()
    for part in parts.names("reference_sources"):
        for entry in parts.files["reference_sources", part]:
            if part in parts.doubtful:
                doubtful.add(int(part[:6]))
                continue
            sources = pq.ParquetFile(root / entry.path).read(["rfid"])
            for one in sources.group_by("rfid").aggregate([([], "count_all")]).to_pylist():
                rows[one["rfid"]] += one["count_all"]
    columns = ["rfid", "n_read", "n_published", "n_refused", "input_file", "input_checksum"]
    for part in parts.names("reference_images"):
        images = (
            [] if part in parts.doubtful else parts.rows(root, "reference_images", part, columns)
        )
        if part in parts.doubtful or int(part) in doubtful:
            continue
        for image in images:
            where = f"field {part}, reference image {image['rfid']}"
            for name, found in (
                ("n_published", rows[image["rfid"]]),
                ("n_read", image["n_published"] + image["n_refused"]),
            ):
                if image[name] != found:
                    what = f"{name} is {image[name]}, its rows are {found}"
                    yield Finding("reference_rows", where, what, BACKUP)
        refusals = _refused(parts.rows(root, "refusals", part, _REFUSED))
        yield from _check_refusals(f"field {part}", images, refusals, BACKUP)


def _words(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _check_imports(root: Path, parts: _Parts) -> Iterator[Finding]:
    """What `imports` says of each file, against its rows; those of one curve are in one pixel."""
    for part in parts.names("imports"):
        if part in parts.doubtful:
            continue
        curves, epochs = 0, 0
        for entry in parts.files["imported_lightcurves", part]:
            epochs += entry.rows
            with pq.ParquetFile(root / entry.path) as file:
                curves += pc.count_distinct(file.read(["oid"])["oid"]).as_py()
        for row in parts.rows(root, "imports", part, ["input_file", "n_curves", "n_epochs"]):
            if (row["n_curves"], row["n_epochs"]) != (curves, epochs):
                what = (
                    f"imports says {row['n_curves']} curves of {row['n_epochs']} epochs, "
                    f"imported_lightcurves has {curves} of {epochs}"
                )
                yield Finding("imports", row["input_file"], what, IMPORT)
