"""Catalogues at the awkward places of the sky, in every format, and their match by brute force."""

from __future__ import annotations

import math
from pathlib import Path

import hpgeom
import numpy as np
import polars as pl
from astropy.io import fits

ARCSEC = 1 / 3600
RADIUS = 1.5
# Corners of base pixels (where 3 or 4 meet), poles, RA 0, and pixels' borders.
PLACES = [
    (0.0, 0.0), (359.9999, 62.0), (123.0, 90.0), (45.0, -90.0), (180.0, -20.0),
    (90.0, 41.8103149), (0.0, 41.8103149), (45.0, 0.0), (270.0, -41.8103149), (315.0, 0.0),
]  # fmt: skip


def vectors(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def moved(ra, dec, sigma_arcsec, rng):
    """Positions moved at random, as well at a pole as anywhere."""
    points = vectors(ra, dec) + rng.normal(0, math.radians(sigma_arcsec * ARCSEC), (len(ra), 3))
    x, y, z = points.T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def on_borders(order, n, rng):
    """Positions on the borders of pixels of an order, to 1e-9 degrees."""
    pixels = rng.integers(0, 12 * 4**order, n)
    ra, dec = hpgeom.boundaries(2**order, pixels, step=8)
    chosen = rng.integers(0, ra.shape[1], n)
    return ra[np.arange(n), chosen] % 360, dec[np.arange(n), chosen]


def field(seed=1, n=40):
    """A left and a right catalogue: crowds at every awkward place, borders, the sky between."""
    rng = np.random.default_rng(seed)
    places = [moved(np.full(n, ra), np.full(n, dec), 6.0, rng) for ra, dec in PLACES]
    borders = [on_borders(order, 3 * n, rng) for order in (0, 1, 3, 6)]
    sky = rng.uniform(0, 360, 5 * n), np.degrees(np.arcsin(rng.uniform(-1, 1, 5 * n)))
    right = tuple(np.concatenate(part) for part in zip(*places, *borders, sky, strict=True))
    # Doubles of a third: of two at the same place the first is meant.
    doubles = rng.integers(0, len(right[0]), len(right[0]) // 3)
    right = tuple(np.concatenate([part, part[doubles]]) for part in right)
    order = rng.permutation(len(right[0]))
    right = tuple(part[order] for part in right)
    left = moved(*right, 0.6, rng)
    order = rng.permutation(len(left[0]))
    return tuple(part[order] for part in left), right


def nearest(left, right, radius=RADIUS):
    """Row of the nearest right row, −1 without one, and its separation in arcseconds."""
    index, separation = np.full(len(left[0]), -1), np.full(len(left[0]), np.nan)
    for i, j, angle in pairs(left, right, radius):
        if index[i] < 0:
            index[i], separation[i] = j, angle
    return index, separation


def pairs(left, right, radius=RADIUS):
    """All pairs, each left row's by separation, then by the right row."""
    refs, found = vectors(*right), []
    for i, point in enumerate(vectors(*left)):
        chord = np.linalg.norm(refs - point, axis=1)
        near = np.flatnonzero(chord < 2e-5 if radius < 4 else chord < 2)
        angle = np.degrees(2 * np.arcsin(np.clip(chord[near] / 2, 0, 1))) / ARCSEC
        # Doubles are rounded alike, here and there: equal to the last digit.
        order = np.lexsort((near, angle))
        found += [(i, near[k], angle[k]) for k in order if angle[k] <= radius + 1e-9]
    return found


def write_parquet(path: Path, ids, ra, dec, row_group=1000):
    pl.DataFrame({"id": ids, "ra": ra, "dec": dec}).write_parquet(path, row_group_size=row_group)
    return path


def write_csv(path: Path, ids, ra, dec):
    pl.DataFrame({"id": ids, "ra": ra, "dec": dec}).write_csv(path)
    return path


def write_fits(path: Path, ids, ra, dec):
    ids = np.asarray(ids)
    code = "K" if ids.dtype.kind == "i" else f"{max(map(len, ids.tolist()), default=1)}A"
    columns = [
        fits.Column("ID", code, array=ids),
        fits.Column("RAJ2000", "D", array=ra),
        fits.Column("DEJ2000", "D", array=dec),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path


def write_hats(folder: Path, ids, ra, dec, order=3, suffix=".parquet", index=True, row_group=50):
    """A HATS catalogue, by hand; `order` is one for all pixels or one for each base pixel."""
    key = hpgeom.angle_to_pixel(2**29, ra, dec)
    orders = np.broadcast_to(order, 12)[key >> 58]
    frame = pl.DataFrame(
        {"_healpix_29": key, "id": ids, "ra": ra, "dec": dec, "order": orders,
         "npix": key >> (2 * (29 - orders))}
    ).sort("_healpix_29", maintain_order=True)  # fmt: skip
    listing = ["Norder,Npix"]
    keep = (["_healpix_29"] if index else []) + ["id", "ra", "dec"]
    for (k, npix), rows in frame.group_by("order", "npix", maintain_order=True):
        listing.append(f"{k},{npix}")
        stem = folder / "dataset" / f"Norder={k}" / f"Dir={npix // 10000 * 10000}"
        if suffix == "/":
            # Two files that overlap, each double in one of them.
            even = rows["_healpix_29"].rank("dense") % 2 == 0
            parts = {"a": rows.filter(even), "b": rows.filter(~even)}
            parts = {
                f"Npix={npix}/{name}.parquet": part for name, part in parts.items() if len(part)
            }
        else:
            parts = {f"Npix={npix}{suffix}": rows}
        for name, part in parts.items():
            (stem / name).parent.mkdir(parents=True, exist_ok=True)
            part.select(keep).write_parquet(stem / name, row_group_size=row_group)
    (folder / "dataset").mkdir(parents=True, exist_ok=True)
    (folder / "partition_info.csv").write_text("\n".join(listing) + "\n")
    said = {
        "obs_collection": folder.name, "dataproduct_type": "object", "hats_nrows": len(frame),
        "hats_col_ra": "ra", "hats_col_dec": "dec", "hats_npix_suffix": suffix,
    }  # fmt: skip
    if index:
        said |= {"hats_col_healpix": "_healpix_29", "hats_col_healpix_order": 29}
    (folder / "hats.properties").write_text(
        "#HATS catalog\n" + "".join(f"{key}={value}\n" for key, value in said.items())
    )
    frame.select(keep).head(0).write_parquet(folder / "dataset" / "_common_metadata")
    return folder
