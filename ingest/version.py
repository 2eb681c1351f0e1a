"""Which code and which settings a row was made by."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from store.atomic import checksum

# What a published row depends on: a change elsewhere leaves it as it is.
_PACKAGES = ("ingest", "store", "transforms")


@cache
def code_version() -> str:
    """Nightlake's version and a checksum of the code that makes rows, as 0.1.0+1a2b3c4d."""
    sources = []
    for package in _PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:  # pragma: no cover - we are running from it
            continue
        sources += sorted(Path(spec.origin).parent.rglob("*.py"))
    content = b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in sources)
    return f"{version('nightlake')}+{checksum(content)[:8]}"


def recipe(**ingredients: object) -> str:
    """Checksum of everything that something was made from."""
    return checksum(json.dumps(ingredients, sort_keys=True).encode())


def plain(record: Any) -> dict[str, Any]:
    """The fields of a dataclass by name; unlike `asdict` it copies nothing, at a tenth the time."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
