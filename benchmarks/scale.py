"""The scale check of a night's images: analytic areas, and the paper's corners of 575 pixels.

python -m benchmarks.scale [--rows N] [--json FILE]
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from benchmarks import paper
from benchmarks.harness import Ratio, Result, in_turn, own_peak_mb, played
from ingest.facts import ImageFacts
from ingest.plan import PlannedImage
from ingest.prior import Prior
from ingest.scale import judge_images
from simulate.cards import card
from simulate.optics import science_wcs
from transforms.pixel_scale import chip_grid, paper_grid, pixel_scales
from transforms.scale_check import breaks_infobit_16, judge_scale
from transforms.scale_difference import scale_differences
from transforms.wcs_cards import read_cards

NIGHT_IMAGES = 55_000
CHANNELS = 64
IMAGE_ROWS = 20_000  # of a typical image: what the check adds to each row of an ingest
PEER_IMAGES = 25  # the paper's way takes milliseconds each

Integers = NDArray[np.int64]


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are images."""
    return played(arguments, __doc__, 2_048, run)


def run(rows: int, rounds: int) -> Result:
    """Product on `rows` images, peer on some of them; answers are compared first."""
    texts, of_channel = _images(rows)
    prior_texts = [_cards(rcid, secz=1.0, turn=0.0) for rcid in range(CHANNELS)]
    prior = pixel_scales(read_cards(prior_texts), chip_grid())
    maps = read_cards(texts)
    some = np.linspace(0, rows - 1, min(rows, PEER_IMAGES)).astype(np.int64)
    headers = [_header(texts[k]) for k in some]
    finals = [WCS(header) for header in headers]
    priors = [WCS(_header(prior_texts[of_channel[k]])) for k in some]
    difference = _largest_difference(texts, prior_texts, of_channel, some, finals, priors)
    assert difference < 1e-4, difference

    def check() -> None:
        found = scale_differences(read_cards(texts), chip_grid(), prior, of_channel)
        judge_scale(found)
        breaks_infobit_16(found)

    planned = [_planned(k, text) for k, text in enumerate(texts)]
    of_channels = {(rcid, 2): Prior("ideal", "", prior[rcid]) for rcid in range(CHANNELS)}
    assert not any(one.is_bad for one in judge_images(planned, of_channels, 1.0).values())

    def papers() -> None:
        for header, one in zip(headers, priors, strict=True):
            paper.scale_difference(WCS(header), one)

    def papers_without_headers() -> None:
        for final, one in zip(finals, priors, strict=True):
            paper.scale_difference(final, one)

    names = (
        "cards to judgement", "areas alone", "paper, WCS(header) to percent", "paper, areas alone",
        "in an ingest, to the row of images",
    )  # fmt: skip
    runs = (
        check,
        lambda: scale_differences(maps, chip_grid(), prior, of_channel),
        papers,
        papers_without_headers,
        lambda: judge_images(planned, of_channels, 1.0),
    )
    seconds = in_turn(dict(zip(names, runs, strict=True)), rounds)
    images = dict(zip(names, (rows, rows, some.size, some.size, rows), strict=True))
    each = {name: np.array(taken) / images[name] for name, taken in seconds.items()}

    result = Result("scale", rows)
    for name, taken in each.items():
        result.figures[f"{name}, us an image"] = float(np.median(taken)) * 1e6
    for ours, peer in ((names[0], names[2]), (names[1], names[3])):
        value = statistics.median((each[peer] / each[ours]).tolist())
        result.ratios.append(Ratio(f"{ours}, against {peer}", value, 25))
    in_ingest_s = float(np.median(each[names[4]]))
    result.figures[f"in an ingest, ns a row of images of {IMAGE_ROWS:,}"] = (
        in_ingest_s / IMAGE_ROWS * 1e9
    )
    night_s = in_ingest_s * NIGHT_IMAGES
    result.ratios += [
        Ratio("55,000 images in an ingest, s on one core, extrapolated", night_s, 8, at_most=True),
        Ratio("largest difference from the paper's, percent", difference, 1e-4, at_most=True),
    ]
    result.peak_memory_mb = own_peak_mb()
    return result


def _images(rows: int) -> tuple[list[str], Integers]:
    """WCS cards of simulated images, all channels in turn, and the channel of each."""
    rng = np.random.default_rng(1)
    of_channel = np.arange(rows) % CHANNELS
    secz, turn = rng.uniform(1.0, 2.5, rows), rng.uniform(-0.05, 0.05, rows)
    texts = [_cards(*one) for one in zip(of_channel.tolist(), secz, turn, strict=True)]
    return texts, of_channel


def _planned(k: int, cards: str) -> PlannedImage:
    """An image of the k-th exposure, its channel in turn, as an ingest has planned it."""
    rcid = k % CHANNELS
    known: dict[str, Any] = dict.fromkeys(one.name for one in fields(ImageFacts))
    known |= {"expid": k, "rcid": rcid, "fid": 2, "infobits": 0, "wcs_cards": cards}
    return PlannedImage(Path(), ImageFacts(**known), date(2024, 1, 10), (0, 0))


def _cards(rcid: int, secz: float, turn: float) -> str:
    centre = np.array([58.0, 35.7])
    image = science_wcs(centre, rcid, turn, secz=secz, parallactic=20 * turn, approach=0.0)
    return "".join(card(keyword, value) for keyword, value in image.cards)


def _header(text: str) -> fits.Header:
    return fits.Header.fromstring(text)


def _largest_difference(
    texts: list[str],
    prior_texts: list[str],
    of_channel: Integers,
    some: Integers,
    finals: list[WCS],
    priors: list[WCS],
) -> float:
    """Ours less the paper's on its grid and by one area: least, most and rms, percent."""
    prior = pixel_scales(read_cards(prior_texts), paper_grid())
    maps = read_cards([texts[k] for k in some])
    ours = scale_differences(maps, paper_grid(), prior, of_channel[some])
    pairs = zip(finals, priors, strict=True)
    theirs = [paper.scale_difference(*pair, sheared=True) for pair in pairs]
    expected = [[one.min(), one.max(), np.sqrt((one**2).mean())] for one in theirs]
    found = np.stack([ours.pct_min, ours.pct_max, ours.pct_rms], axis=1)
    return float(np.abs(found - np.array(expected)).max())


if __name__ == "__main__":
    main()
