from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from archives import Channel, cluster, nightly
from serving import serving

from nightlake import Archive

CHANNELS = (Channel(fid=1), Channel(fid=2), Channel(field=634, fid=2, ccdid=3, qid=1))
PLACE = (150.0, 20.0)


@pytest.fixture(scope="session")
def sky(tmp_path_factory):
    """Four nights of three channels about a place, the third night of the partnership."""
    root = tmp_path_factory.mktemp("served") / "archive"
    ra, dec = cluster(*PLACE, n=14, spread_arcsec=60)
    nightly(root, ra, dec, n_nights=4, channels=CHANNELS, programs=(1, 1, 2, 1))
    with Archive(root) as archive:
        yield SimpleNamespace(
            root=root, ra=ra, dec=dec, archive=archive, oids=CHANNELS[1].oids(len(ra)),
            all_oids=np.concatenate([channel.oids(len(ra)) for channel in CHANNELS]),
        )  # fmt: skip


@pytest.fixture(scope="session")
def url(sky):
    with serving(sky.root) as address:
        yield address


@pytest.fixture(scope="session")
def client(url):
    with httpx.Client(base_url=url, timeout=300) as asking:
        yield asking
