"""The form of our matchfiles against a real one, item by item, as h5py sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matchskies import sky
from realdata import REAL, needs_real

from products.matchfile.build import build
from products.matchfile.columns import Making
from products.matchfile.writer import write_match
from store.matchfile import (
    GROUP_ATTRIBUTES,
    MATCH_TABLES,
    MODEL_ATTRIBUTES,
    matchfile_path,
)

REAL_FILE = REAL / "matchfile" / "ztf_000245_zr_c10_q1_match.pytable"
# What the real file has because it was cut to a few rows: PyTables notes that rows were deleted.
TRIMMED = {"deletedRows"}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("m") / matchfile_path(633, 2, 7, 4)
    write_match(build(sky(strays=20), Making()), path)
    return path


def nodes(path: Path) -> dict[str, Any]:
    """Every group and table by its name, with all that is no content."""
    found = {}

    def look(name: str, node: Any) -> None:
        found[name] = {
            "kind": type(node).__name__,
            "attributes": {key: attribute(node, key) for key in node.attrs if key not in TRIMMED},
        }
        if isinstance(node, h5py.Dataset):
            found[name] |= {
                "columns": columns(node.dtype),
                "rowbytes": node.dtype.itemsize,
                "dimensions": len(node.shape),
                "maxshape": node.maxshape,
                "chunked": node.chunks is not None,
                "filters": (node.compression, node.shuffle, node.fletcher32, node.scaleoffset),
                "fill": node.fillvalue.tobytes(),
            }

    with h5py.File(path) as file:
        look("/", file)
        file.visititems(look)
    return found


def columns(dtype: np.dtype) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Name, type with byte order, shape and place in the row of each column, in order."""
    return [
        (name, dtype[name].base.str, dtype[name].shape, dtype.fields[name][1])
        for name in dtype.names
    ]


def attribute(node: Any, name: str) -> Any:
    """Type and shape of an attribute; its value too where it tells of form."""
    found = node.attrs.get_id(name)
    kind = found.get_type()
    text = kind.get_class() == h5py.h5t.STRING
    value = node.attrs[name]
    is_form = name.isupper() and len(name) > 1 and name not in ("NROWS", "TITLE")
    if isinstance(value, h5py.Empty):
        return "empty", found.dtype.str
    return (
        (kind.get_cset(), kind.get_strpad()) if text else found.dtype.str,
        found.shape,
        value.tobytes() if is_form else None,
    )


@needs_real
def test_form_is_that_of_the_real_file(ours: Path) -> None:
    mine, theirs = nodes(ours), nodes(REAL_FILE)
    assert list(mine) == list(theirs)
    for name, node in theirs.items():
        if name == "matches":
            # Not calibrated by its own account, the real file has an empty date.
            for side in (mine, theirs):
                side[name]["attributes"].pop("datetimeCalibrated")
        assert mine[name].keys() == node.keys()
        for item in node:
            assert mine[name][item] == node[item], (name, item)


@needs_real
def test_titles_are_those_of_the_real_file() -> None:
    with h5py.File(REAL_FILE) as file:
        for name, table in MATCH_TABLES.items():
            assert file["matches"][name].attrs["TITLE"].decode() == table.title_of(245, 36)


@needs_real
def test_group_attributes_are_those_of_the_real_file(ours: Path) -> None:
    with h5py.File(REAL_FILE) as real, h5py.File(ours) as mine:
        own = {"CLASS", "FILTERS", "TITLE", "VERSION"}
        assert set(real["matches"].attrs) - own == set(GROUP_ATTRIBUTES)
        a, b = real["matches"].attrs, mine["matches"].attrs
        assert a["referenceImageID"] == 2450236
        assert b["referenceImageID"] == 6330227
        same = ["calibratedSinceLastMatch", "goodSystematicErrorLimit", "saturatedMagnitude"]
        assert [a[name] for name in same] == [b[name] for name in same]
        assert set(MODEL_ATTRIBUTES) < set(real["matches/sourcedata"].attrs)


def test_path_is_the_surveys() -> None:
    assert (
        matchfile_path(259, 2, 16, 4)
        == "srcmatch/rc63/fr000251-000300/ztf_000259_zr_c16_q4_match.pytable"
    )
    assert (
        matchfile_path(245, 1, 1, 1)
        == "srcmatch/rc00/fr000201-000250/ztf_000245_zg_c01_q1_match.pytable"
    )


@pytest.mark.parametrize("filter_name", ["gzip", "blosc"])
def test_compressed_files_differ_in_filters_alone(
    filter_name: str, ours: Path, tmp_path: Path
) -> None:
    import tables

    out = tmp_path / "ztf_000633_zr_c07_q4_match.pytable"
    write_match(build(sky(strays=20), Making()), out, filter_name)
    with tables.open_file(str(out)) as a, tables.open_file(str(ours)) as b:
        for name in MATCH_TABLES:
            assert (a.root.matches[name][:].tobytes()) == b.root.matches[name][:].tobytes()
        assert a.root.matches.sourcedata.filters.complib.startswith(
            {"gzip": "zlib", "blosc": "blosc"}[filter_name]
        )
    assert out.stat().st_size < ours.stat().st_size
    if filter_name == "gzip":
        with h5py.File(out) as file:
            assert file["matches/sourcedata"].compression == "gzip"
            assert file["matches/sourcedata"][:].size > 0
