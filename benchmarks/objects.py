"""Rows of `objects`: statistics with coverage, which images cover a place, and groups.

python -m benchmarks.objects [--rows N] [--json FILE]

Rows are epochs of objects that 150 images cover. astropy's `all_world2pix` inverts the same WCS,
for a part of the images; scipy's tree and connected components are friends of friends, which groups
of stars that stand apart are too.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from benchmarks.harness import Ratio, Result, in_turn, own_peak_mb, played, times_faster
from products.lightcurves.objects import CHANNEL, OF_EPOCHS, OF_IMAGES, OF_SOURCES, object_rows
from store.contract import DETECTIONS, IMAGES, REFERENCE_SOURCES
from transforms.chip import CHIP_PX
from transforms.coverage import Footprints
from transforms.grouping import UNGROUPED, Sources, link
from transforms.sphere import ARCSEC_PER_RADIAN, unit_vectors
from transforms.wcs_cards import read_cards

EPOCHS = 150
RA, DEC = 209.4, 40.5
FIELD, FID, CCDID, QID = 633, 2, 7, 4
OID = FIELD * 10**12 + FID * 10**11 + CCDID * 10**9 + QID * 10**8
CHANNELS = 4
RADIUS_ARCSEC = 1.5
# Of the images, those that astropy inverts.
EVERY = 30

Array = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are epochs."""
    return played(arguments, __doc__, 1_500_000, run)


def run(rows: int, rounds: int) -> Result:
    """Each of the three, beside its peer; answers are compared first."""
    sky = Sky(max(20, rows // EPOCHS))
    sky.check()
    contenders = {
        "objects": sky.objects,
        "coverage": sky.coverage,
        "coverage, astropy": sky.coverage_by_astropy,
        "groups": sky.groups,
        "groups, scipy": sky.groups_by_scipy,
    }
    seconds = in_turn(contenders, rounds)
    # All images would take astropy longer by as much as there are more of them.
    part = EPOCHS / len(range(0, EPOCHS, EVERY))
    seconds["coverage, astropy"] = [one * part for one in seconds["coverage, astropy"]]
    result = Result("objects", rows)
    pairs, sources = sky.ra.size * EPOCHS, sky.stars.ra.size
    spent = {name: _processor_seconds(contenders[name], rounds) for name in contenders}
    result.figures = {
        "objects: ns an epoch": spent["objects"] / pairs * 1e9,
        "coverage: ns an image and place": spent["coverage"] / pairs * 1e9,
        "coverage, astropy: ns an image and place": spent["coverage, astropy"] * part / pairs * 1e9,
        "groups: ns a source": spent["groups"] / sources * 1e9,
        "groups, scipy: ns a source": spent["groups, scipy"] / sources * 1e9,
    }
    result.ratios = [
        Ratio("objects: million epochs/s of a core", pairs / spent["objects"] / 1e6, 4),
        Ratio("coverage: ns a pair", spent["coverage"] / pairs * 1e9, 100, at_most=True),
        Ratio(
            "coverage, against astropy", times_faster(seconds, "coverage", "coverage, astropy"), 10
        ),
        Ratio("groups, against scipy", times_faster(seconds, "groups", "groups, scipy"), 1),
    ]
    result.peak_memory_mb = own_peak_mb()
    return result


class Sky:
    """Objects of one channel, each with an epoch an image; and stars of four channels."""

    def __init__(self, objects: int) -> None:
        rng = np.random.default_rng(objects)
        self.ra, self.dec = (
            RA + rng.uniform(-0.6, 0.6, objects),
            DEC + rng.uniform(-0.45, 0.45, objects),
        )
        self.cards = [_cards(rng) for _ in range(EPOCHS)]
        self.footprints = Footprints(read_cards(self.cards))
        self.images = _table(
            IMAGES, OF_IMAGES, EPOCHS,
            field=FIELD, fid=FID, ccdid=CCDID, qid=QID, wcs_cards=self.cards,
        )  # fmt: skip
        of_all = dict(zip(CHANNEL, (FIELD, FID, CCDID, QID), strict=True))
        number = np.arange(objects)
        self.sources = _table(
            REFERENCE_SOURCES, OF_SOURCES, objects,
            _healpix_29=number, oid=OID + number, ra=self.ra, dec=self.dec, group_id=number,
            rfid=1, rcid=27, mag=18.0, magerr=0.01, **of_all,
        )  # fmt: skip
        n = objects * EPOCHS
        self.epochs = _table(
            DETECTIONS, OF_EPOCHS, n,
            oid=np.repeat(OID + number, EPOCHS),
            hmjd=np.sort(rng.uniform(58200.0, 60500.0, (objects, EPOCHS)), axis=1).ravel(),
            mag=18.0 + 0.1 * rng.standard_normal(n), magerr=rng.uniform(0.01, 0.1, n),
            ra=np.repeat(self.ra, EPOCHS), dec=np.repeat(self.dec, EPOCHS),
            catflags=(rng.random(n) < 0.05).astype(int),
        )  # fmt: skip
        places = rng.uniform(-0.5, 0.5, (2, 1, 5 * objects)) + rng.normal(
            0, 3e-5, (2, CHANNELS, 5 * objects)
        )
        channel = np.repeat(np.arange(CHANNELS), 5 * objects)
        self.stars = Sources(RA + places[0].ravel(), DEC + places[1].ravel(), channel)

    def objects(self) -> pa.Table:
        """Rows of the table, from Arrow columns."""
        return object_rows(self.sources, self.epochs, self.images)

    def coverage(self) -> NDArray[np.int32]:
        """How many images cover each object."""
        return self.footprints.count(self.ra, self.dec)

    def coverage_by_astropy(self) -> NDArray[np.bool_]:
        """Whether some of the images cover each object."""
        covered = []
        for text in self.cards[::EVERY]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wcs = WCS(fits.Header.fromstring(text))
            pixels = wcs.all_world2pix(self.ra, self.dec, 1, quiet=True)
            inside = [
                np.abs(one - (side + 1) / 2) <= side / 2
                for one, side in zip(pixels, CHIP_PX, strict=True)
            ]
            covered.append(inside[0] & inside[1])
        return np.array(covered)

    def groups(self) -> NDArray[np.int64]:
        """Groups by complete linkage."""
        ungrouped = np.full(len(self.stars), UNGROUPED)
        return link(self.stars, ungrouped, Sources([], [], []), RADIUS_ARCSEC)

    def groups_by_scipy(self) -> NDArray[np.int32]:
        """Friends of friends."""
        xyz = np.ascontiguousarray(unit_vectors(self.stars.ra, self.stars.dec).T)
        chord = 2 * np.sin(RADIUS_ARCSEC / ARCSEC_PER_RADIAN / 2)
        pairs = cKDTree(xyz).query_pairs(chord, output_type="ndarray")
        n = len(xyz)
        graph = coo_matrix((np.ones(len(pairs)), pairs.T), (n, n))
        labels: NDArray[np.int32] = connected_components(graph, directed=False)[1]
        return labels

    def check(self) -> None:
        """A fast wrong answer fails."""
        ours = self.footprints.cover(self.ra, self.dec)[::EVERY]
        # A place on the very edge may be on either side of it by rounding.
        assert (ours != self.coverage_by_astropy()).mean() < 1e-6
        covered = self.objects()["n_covered"].to_numpy()
        np.testing.assert_array_equal(covered, self.coverage())
        groups, friends = self.groups(), self.groups_by_scipy()
        # Stars that stand apart are four friends, and one group of four channels.
        apart = np.bincount(friends)[friends] == CHANNELS
        assert apart.mean() > 0.5
        pairs = np.unique(np.stack([groups[apart], friends[apart]]), axis=1)
        assert pairs.shape[1] == np.unique(friends[apart]).size == np.unique(groups[apart]).size


def _cards(rng: np.random.Generator) -> str:
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TPV", "DEC--TPV"
    numbers = {
        "CRPIX1": 1536.5, "CRPIX2": 1540.5, "CRVAL1": RA + rng.normal(0, 2e-3),
        "CRVAL2": DEC + rng.normal(0, 2e-3), "CD1_1": -2.8126e-4, "CD1_2": 2.4e-6,
        "CD2_1": -2.5e-6, "CD2_2": -2.8127e-4, "PV1_1": 1.0, "PV2_1": 1.0,
    }  # fmt: skip
    # Powers up to the fourth, as in real headers.
    numbers |= {
        f"PV{axis}_{m}": float(rng.normal(0, 3e-4))
        for axis in (1, 2)
        for m in (0, 2, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16)
    }
    for name, value in numbers.items():
        header[name] = value
    text: str = header.tostring(endcard=False, padding=False)
    return text


def _table(of: object, names: Sequence[str], n: int, **columns: object) -> pa.Table:
    """Columns of a table of the contract; a scalar is that of every row."""
    arrays = {}
    for name in names:
        given = columns[name]
        values = given if isinstance(given, (list, np.ndarray)) else [given] * n
        kind = "int64" if name == "group_id" else of[name].dtype  # type: ignore[index]
        arrays[name] = pa.array(values).cast(pa.type_for_alias(kind))
    return pa.table(arrays)


def _processor_seconds(contender: Callable[[], object], rounds: int) -> float:
    """Median time on a processor: a rate "a core" should not tell who else uses the machine."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        contender()
        taken.append(time.process_time() - start)
    return max(float(np.median(taken)), 1e-9)


if __name__ == "__main__":
    main()
