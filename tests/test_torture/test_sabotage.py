"""The code without one of its syncs, renames or locks: a harness notices."""

import pytest
from torture.sabotage import SPARED, noticed, places, reached

SAMPLE = [
    "store/files.py:settle",
    "store/publication.py:_settle",
    "store/publication.py:_sync_names",
    "store/publication.py:_sync_tree",
    "ingest/pipeline.py:_ingest_night",
]


def test_every_sync_rename_and_lock_is_come_by(stage, tmp_path):
    come_by = reached(stage, tmp_path)
    missing = [what for site, what in places() if site not in come_by and what not in SPARED]
    assert missing == []


@pytest.mark.parametrize("function", SAMPLE)
def test_the_code_without_it_is_noticed_to_be_wrong(stage, tmp_path, function):
    come_by = reached(stage, tmp_path)
    sites = [site for site, what in places() if what == function]
    assert sites
    for site in sites:
        assert noticed(stage, site, come_by[site], tmp_path), site
