"""Publications to try things on, and what is in them."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq
from skies import night_manifest

from store.layout import HealpixPixel, Layout
from store.publication import publish
from store.snapshot import Snapshot, open_snapshot

PIXELS = [HealpixPixel(5, 3), HealpixPixel(5, 100)]


def publish_night(root: Path, night: date, n: int, seed: int = 0) -> Snapshot:
    """Publish a night of `n` rows in each of `PIXELS`."""
    manifest = night_manifest(Layout(root), night, PIXELS, n, seed)
    return publish(root, {manifest.group: manifest}, f"ingest of {night}")


def date_publications(root: Path, *times: datetime) -> None:
    """Give the first publications other dates, as if time had passed."""
    for number, when in enumerate(times):
        path = Layout(root).publication(number) / "publication.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps(record | {"published": when.isoformat()})
        path.write_text(text, encoding="utf-8")


def rows_of(snapshot: Snapshot) -> int:
    """Detections, as its files have them."""
    return sum(pq.read_metadata(path).num_rows for path in snapshot.files("detections"))


def published_content(root: Path) -> dict[str, object]:
    """All that is published but for dates: manifests, and the bytes of every file."""
    snapshot = open_snapshot(root)
    found: dict[str, object] = {**snapshot.groups}
    for group in snapshot.groups:
        for entry in snapshot.manifest(group).files:
            found[entry.path] = (root / entry.path).read_bytes()
    return found
