"""What files of light curves say that they were made of is checked before it is believed."""

import json

import pyarrow as pa
import pytest

from store.lightcurve_files import METADATA_KEY, MadeOf, digest_in

MADE = MadeOf("a", {"20240110": "0123456789abcdef"}, {"20240110-20240112": "f"}, {"5-12": "e"})


def schema(text: str | None):
    said = {} if text is None else {METADATA_KEY: text.encode()}
    return pa.schema([], metadata=said)


def test_what_is_written_is_read():
    assert MadeOf.read(pa.schema([], metadata=MADE.metadata())) == MADE


@pytest.mark.parametrize(
    "text",
    [
        None,
        "no JSON",
        "[" * 100_000,
        "[]",
        "{}",
        json.dumps({"recipe": "a", "nights": {"20241345": "x"}}),
        json.dumps({"recipe": "a", "nights": 7}),
        json.dumps({"recipe": "a", "nights": [], "periods": []}),
        json.dumps({"recipe": "a", "unknown": {}}),
    ],
)
def test_anything_else_is_as_good_as_nothing(text):
    assert MadeOf.read(schema(text)) is None


def test_a_data_file_is_known_by_the_checksum_in_its_name():
    name = "../../../data/detections/20240110/5-123-0123456789abcdef.parquet"
    assert digest_in(name) == "0123456789abcdef"
