"""The figure of scale against airmass: what is drawn, and how near simulated images are to it."""

import numpy as np
import polars as pl
import pytest

from products.canvas import save
from products.errors import NothingToDrawError
from products.scale_figure import draw_scale, scale_points, scatter_ppm
from simulate.site import aspects
from transforms.atmosphere import Air
from transforms.refraction import scale_change_percent

AIR = Air(pressure_hpa=830.0, temperature_c=10.0)
# The simulated velocity is that of the centre of the Earth: its turning makes 1.3 ppm at Palomar.
DIURNAL_PPM = 1.5


def images(n=400, seed=1, noise_ppm=0.0, bad=()):
    """Images of four channels: scales by the model's refraction and astropy's velocity."""
    rng = np.random.default_rng(seed)
    mjd = np.round(60319.15 + rng.uniform(0, 0.35, n), 5)
    ra, dec = rng.uniform(20, 200, n), rng.uniform(-25, 80, n)
    seen = aspects(mjd, ra, dec)
    up = seen.secz < 8
    channel = rng.integers(0, 4, n)
    own = np.array([1.0126, 1.0124, 1.0131, 1.0119])[channel]
    change = 1 + scale_change_percent(seen.secz, AIR) / 100
    noise = 1 + 1e-6 * noise_ppm * rng.standard_normal(n)
    return pl.DataFrame(
        {
            "rcid": channel * 7, "fid": channel % 2 + 1, "obsmjd": mjd, "ra": ra, "dec": dec,
            "secz": seen.secz, "pixel_scale_arcsec": own * change * (1 + seen.approach) * noise,
            "is_bad": np.isin(np.arange(n), bad),
        }
    ).filter(pl.Series(up))  # fmt: skip


def test_aberration_and_each_channel_s_own_scale_are_taken_off():
    points = scale_points(images(), AIR)
    assert points.height > 150
    off = (points["scale_change"] - points["model_change"]).to_numpy()
    assert np.abs(off).max() * 1e4 < DIURNAL_PPM
    assert scatter_ppm(points) < DIURNAL_PPM
    # Without aberration taken off there is a hundred times as much.
    one = points.filter(pl.col("rcid") == 0)
    raw = (one["pixel_scale_arcsec"] / (1 + one["model_change"] / 100)).to_numpy()
    assert raw.std() / raw.mean() > 10e-6


def test_the_scatter_is_that_of_the_images():
    points = scale_points(images(2000, noise_ppm=30.0), AIR)
    assert scatter_ppm(points) == pytest.approx(30.0, rel=0.15)


def test_a_bad_image_moves_no_zero():
    clean = images()
    wild = clean.with_columns(
        pixel_scale_arcsec=pl.when(pl.int_range(pl.len()) % 3 == 0)
        .then(pl.col("pixel_scale_arcsec") * 1.02)
        .otherwise(pl.col("pixel_scale_arcsec")),
        is_bad=pl.int_range(pl.len()) % 3 == 0,
    )
    points = scale_points(wild, AIR)
    good = points.filter(~pl.col("is_bad"))
    off = (good["scale_change"] - good["model_change"]).to_numpy()
    assert np.abs(off).max() * 1e4 < DIURNAL_PPM
    assert points.filter(pl.col("is_bad"))["scale_change"].min() > 1.9


def test_a_channel_of_one_good_image_is_left_out():
    few = images().with_columns(
        rcid=pl.when(pl.int_range(pl.len()) == 5).then(63).otherwise("rcid")
    )
    assert 63 not in scale_points(few, AIR)["rcid"]
    with pytest.raises(NothingToDrawError, match="two good images"):
        draw_scale(few.filter(pl.col("rcid") == 63))
    with pytest.raises(NothingToDrawError):
        draw_scale(few.clear())


def test_what_is_far_off_the_model_is_counted_and_does_not_set_the_scale():
    drawn = images(noise_ppm=5.0).with_columns(
        pixel_scale_arcsec=pl.when(pl.int_range(pl.len()) == 3)
        .then(pl.col("pixel_scale_arcsec") * 1.001)
        .otherwise(pl.col("pixel_scale_arcsec"))
    )
    residuals = draw_scale(drawn, air=AIR).axes[1]
    assert residuals.get_title(loc="right") == "1 off the scale"
    assert 10 < residuals.get_ylim()[1] < 60


def test_the_figure_says_what_it_is(tmp_path):
    figure = draw_scale(images(bad=range(0, 400, 40)), title="Night 2024-01-10", air=AIR)
    axes, residuals, bar = figure.axes
    assert residuals.get_ylabel() == "less model [ppm]"
    assert axes.get_title(loc="left") == "Night 2024-01-10"
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[0] == "model: 0.82 atm, 10 °C"
    assert texts[1].startswith("judged bad, ")
    assert "0 is the model's at the zenith" in axes.get_ylabel()
    assert "Hour angle" in bar.get_ylabel()
    line = axes.get_lines()[0]
    at_two = np.interp(2.0, line.get_xdata(), line.get_ydata())
    assert at_two == pytest.approx(scale_change_percent(2.0, AIR)[0], rel=1e-3)
    for name in ("scale.png", "scale.svg"):
        save(figure, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 10_000
