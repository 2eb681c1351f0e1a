"""Rows of `objects` from columns: numpy and scipy object by object, and astropy's WCS."""

import light_curve_statistics
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from wcscards import LINEAR, astropy_wcs, cards

from products.lightcurves.objects import OF_EPOCHS, OF_IMAGES, OF_SOURCES, object_rows
from store.contract import DETECTIONS, IMAGES, OBJECTS, REFERENCE_SOURCES
from store.statistics_columns import PERCENTS, SIGMAS, STATISTICS

N = 60
CHANNELS = [(633, 2, 7, 4), (633, 1, 7, 4), (700, 2, 1, 1)]
RA, DEC = 209.4, 40.5


def sky(seed=1):
    """Sources of three channels, epochs of two thirds of them, and images."""
    rng = np.random.default_rng(seed)
    channel = np.array(CHANNELS)[np.arange(N) % len(CHANNELS)]
    field, fid, ccdid, qid = channel.T
    sources = {
        "_healpix_29": rng.permutation(N),
        "oid": field * 10**12 + fid * 10**11 + ccdid * 10**9 + qid * 10**8 + np.arange(N),
        "rfid": field * 10**6 + fid,
        "field": field, "fid": fid, "ccdid": ccdid, "qid": qid, "rcid": 4 * (ccdid - 1) + qid - 1,
        "group_id": np.arange(N) + 5,
        "ra": RA + rng.uniform(-0.7, 0.7, N), "dec": DEC + rng.uniform(-0.6, 0.6, N),
        "mag": np.linspace(15, 20, N), "magerr": np.full(N, 0.01),
    }  # fmt: skip
    lengths = np.where(rng.random(N) < 0.7, rng.integers(1, 40, N), 0)
    lengths[:5] = [0, 1, 2, 3, 4]
    which = np.concatenate([np.full(lengths[k], k) for k in rng.permutation(N)])
    n = which.size
    epochs = {
        "oid": sources["oid"][which],
        "hmjd": np.concatenate([np.sort(58200 + rng.uniform(0, 900, k)) for k in
                                np.bincount(np.cumsum(np.diff(which, prepend=-1) != 0))[1:]]),
        "mag": sources["mag"][which] + 0.3 * rng.normal(size=n),
        "magerr": rng.uniform(0.01, 0.1, n),
        "ra": sources["ra"][which] + rng.normal(0, 3e-5, n),
        "dec": sources["dec"][which] + rng.normal(0, 3e-5, n),
        "catflags": rng.choice([0, 0, 0, 0, 4, 32768, 65535], n),
    }  # fmt: skip
    return table(REFERENCE_SOURCES, OF_SOURCES, sources), table(DETECTIONS, OF_EPOCHS, epochs)


def table(of, names, columns):
    types = {name: "int64" if name == "group_id" else of[name].dtype for name in names}
    return pa.table({name: pa.array(columns[name]).cast(types[name]) for name in names})


def images_of(cards_of_channel):
    rows = [(*channel, text) for channel, texts in cards_of_channel.items() for text in texts]
    columns = dict(zip(OF_IMAGES, zip(*rows, strict=True), strict=True)) if rows else {}
    return pa.table(
        {n: pa.array(columns.get(n, []), pa.type_for_alias(IMAGES[n].dtype)) for n in OF_IMAGES}
    )


NO_IMAGES = images_of({})


def expected_of(sources, epochs):
    """Every statistic of every source, by numpy and scipy."""
    columns = {name: epochs[name].to_numpy() for name in epochs.column_names}
    found = []
    for row in sources.to_pylist():
        mine = columns["oid"] == row["oid"]
        e = {name: values[mine] for name, values in columns.items()}
        one = light_curve_statistics.of_one(
            e["hmjd"], e["mag"].astype(float), e["magerr"].astype(float), e["catflags"] == 0
        )
        for k, percent in enumerate(PERCENTS):
            one[f"magquantile_{percent}"] = one["magquantiles"][k]
        for name in light_curve_statistics.EXCURSIONS:
            for k, sigma in enumerate(SIGMAS):
                one[f"{name}_{sigma}"] = one[name][k]
        good = e["catflags"] == 0
        dx = (e["ra"] - row["ra"])[good] * np.cos(np.radians(row["dec"]))
        dy = (e["dec"] - row["dec"])[good]
        one["astrometricrms"] = 3600 * np.sqrt(np.mean(dx**2 + dy**2)) if good.any() else np.nan
        found.append(one)
    return found


def test_every_statistic_is_that_of_numpy_and_scipy_object_by_object():
    sources, epochs = sky()
    made = object_rows(sources, epochs, NO_IMAGES)
    assert made.schema.equals(OBJECTS.schema(), check_metadata=True)
    by_oid = {row["oid"]: row for row in made.to_pylist()}
    compared = 0
    for source, expected in zip(sources.to_pylist(), expected_of(sources, epochs), strict=True):
        ours = by_oid[source["oid"]]
        assert {name: ours[name] for name in OF_SOURCES} == source
        for column in STATISTICS:
            if column.name == "n_covered":
                continue
            theirs = expected[column.name]
            unknown = theirs == -1 if column.dtype == "int32" else np.isnan(theirs)
            if unknown:
                assert ours[column.name] is None, column.name
            elif column.dtype == "int32":
                assert ours[column.name] == theirs, column.name
            else:
                rel = 1e-4 if column.name == "astrometricrms" else 3e-7
                assert ours[column.name] == pytest.approx(theirs, rel=rel, abs=1e-9), column.name
                compared += 1
    assert compared > 1000


def test_rows_are_in_the_order_of_the_table_and_what_nothing_measured_has_nulls():
    sources, epochs = sky()
    made = object_rows(sources, epochs, NO_IMAGES)
    assert made["_healpix_29"].to_pylist() == sorted(sources["_healpix_29"].to_pylist())
    nobs = made["nobs"].to_numpy()
    assert (nobs == 0).sum() > 5
    for column in STATISTICS:
        if column.name not in {"nobs", "ngoodobs", "n_covered"}:
            assert made[column.name].filter(pa.array(nobs == 0)).null_count == (nobs == 0).sum()
    assert (made["ngoodobs"].to_numpy() < nobs).any()
    nothing = object_rows(sources, epochs.slice(0, 0), NO_IMAGES)
    assert nothing["nobs"].to_pylist() == [0] * N
    assert nothing["meanmag"].null_count == N
    assert object_rows(sources.slice(0, 0), epochs, NO_IMAGES).num_rows == 0


def test_rows_without_an_id_or_of_another_source_count_nowhere():
    sources, epochs = sky()
    made = object_rows(sources, epochs, NO_IMAGES)
    others = pa.array(np.arange(epochs.num_rows) // 3 % 2 * 17, "int64")
    strange = epochs.set_column(0, "oid", pc.if_else(pc.equal(others, 0), None, others))
    assert object_rows(sources, pa.concat_tables([strange.slice(0, 90), epochs]), NO_IMAGES) == made
    assert object_rows(sources, strange, NO_IMAGES)["nobs"].to_numpy().sum() == 0


def test_unknown_flags_are_no_flags_and_unknown_magnitudes_are_not_good():
    sources, epochs = sky()
    row = epochs.slice(0, 3).to_pydict()
    row["oid"] = [sources["oid"][0].as_py()] * 3
    row |= {"catflags": [None, None, 32768], "mag": [15.0, None, 18.0]}
    some = pa.table(row, schema=epochs.schema)
    made = object_rows(sources.slice(0, 1), some, NO_IMAGES).to_pylist()[0]
    assert (made["nobs"], made["ngoodobs"], made["meanmag"]) == (3, 1, 15.0)


def test_n_covered_counts_images_of_the_own_channel_that_astropy_puts_the_source_on():
    sources, epochs = sky()
    rng = np.random.default_rng(5)
    texts = {
        channel: [
            cards("TPV", {**LINEAR, "PV1_1": 1.0, "PV2_1": 1.0, "PV1_7": 3e-3,
                          "CRVAL1": RA + rng.normal(0, 0.3), "CRVAL2": DEC + rng.normal(0, 0.3)})
            for _ in range(n)
        ]
        for channel, n in zip(CHANNELS[:2], (25, 12), strict=True)
    }  # fmt: skip
    images = images_of({**texts, CHANNELS[2]: [None, None], (1, 1, 1, 1): texts[CHANNELS[0]]})
    half_known = images_of({CHANNELS[0]: [None, *texts[CHANNELS[0]]]})
    made = object_rows(sources, epochs, images).sort_by("oid").to_pylist()
    assert len({row["n_covered"] for row in made}) > 10
    for row in made:
        channel = tuple(row[name] for name in OF_IMAGES[:4])
        if channel == CHANNELS[2]:
            assert row["n_covered"] is None
            continue
        pixels = [
            astropy_wcs(text).all_world2pix(row["ra"], row["dec"], 1, quiet=True)
            for text in texts[channel]
        ]
        inside = [0.5 <= x <= 3072.5 and 0.5 <= y <= 3080.5 for x, y in pixels]
        assert row["n_covered"] == sum(inside)
    partly = object_rows(sources, epochs, half_known).sort_by("oid").to_pylist()
    for row, whole in zip(partly, made, strict=True):
        mine = tuple(row[name] for name in OF_IMAGES[:4]) == CHANNELS[0]
        assert row["n_covered"] == (whole["n_covered"] if mine else 0)
