import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from products.canvas import prepare, save
from products.errors import NothingToDrawError, UnknownFormatError, UnwritableOutputError
from products.night_map import draw_night_map
from products.plots import draw_folded, draw_lightcurve
from products.projection import all_sky, corners, zoomed

PERIOD = 0.5667


@pytest.fixture(scope="module", autouse=True)
def _no_traces(tmp_path_factory: pytest.TempPathFactory) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    prepare(scratch, scratch / "x.png")


@pytest.fixture
def curve() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    hmjd = np.sort(60000 + rng.uniform(0, 300, 120))
    mag = 16 + 0.4 * np.cos(2 * np.pi * hmjd / PERIOD)
    return pl.DataFrame(
        {
            "hmjd": hmjd,
            "mag": mag,
            "magerr": np.full(120, 0.02),
            "catflags": np.where(np.arange(120) % 10 == 0, 32768, 0),
            "filtercode": np.where(np.arange(120) % 2 == 0, "zg", "zr"),
            "is_bad": np.arange(120) % 10 == 0,
        }
    )


def night(ra: float, dec: float, n: int = 4) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "field": [655] * n,
            "ra": [(ra + 0.9 * k) % 360 for k in range(n)],
            "dec": [dec] * n,
            "axis2_angle": [None] + [180.0] * (n - 1),
            "n_images": [2] * n,
            "n_bad_images": [0] * n,
            "n_published": [100] * n,
            "n_matched": [90] * n,
            "matched_fraction": [None] + [0.9] * (n - 1),
            "detections_per_image": [50.0] * n,
        }
    )


def test_bright_is_up_and_dates_stand_above(curve: pl.DataFrame) -> None:
    figure = draw_lightcurve(curve, "Object 1")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert "HMJD" in axes.get_xlabel()
    assert "[mag]" in axes.get_ylabel()
    (dates,) = axes.child_axes
    assert dates.get_xlim() == pytest.approx(np.array(axes.get_xlim()) - 40587)


def test_bad_points_are_hollow_and_counted(curve: pl.DataFrame) -> None:
    axes = draw_lightcurve(curve).axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == ["zg, 48", "zr, 60", "flagged, 12"]
    faces = {line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "o"}
    assert "white" in faces


def test_flagged_points_do_not_set_the_scale(curve: pl.DataFrame) -> None:
    wild = curve.with_columns(
        mag=pl.when(pl.col("catflags") != 0).then(5.0).otherwise(pl.col("mag"))
    )
    axes = draw_lightcurve(wild).axes[0]
    assert axes.get_ylim()[1] > 15
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_texts()[-1].get_text() == "flagged, 12\n(12 off the scale)"


def test_folding_puts_each_point_at_its_phase_twice(curve: pl.DataFrame) -> None:
    axes = draw_folded(curve, PERIOD, epoch_hmjd=60000.0).axes[0]
    phases = np.concatenate([line.get_xdata() for line in axes.lines if line.get_marker() == "o"])
    expected = np.mod((curve["hmjd"].to_numpy() - 60000.0) / PERIOD, 1)
    assert np.sort(phases) == pytest.approx(np.sort(np.concatenate([expected, expected + 1])))


def test_nothing_to_draw_is_said(curve: pl.DataFrame) -> None:
    with pytest.raises(NothingToDrawError, match="no detection has both"):
        draw_lightcurve(curve.with_columns(mag=pl.lit(None, pl.Float64)))
    with pytest.raises(NothingToDrawError, match="no image with a place"):
        draw_night_map(night(0, 0).clear())


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_same_picture_gives_same_bytes(curve: pl.DataFrame, suffix: str, tmp_path: Path) -> None:
    one, two = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
    save(draw_lightcurve(curve), one)
    save(draw_lightcurve(curve), two)
    assert one.read_bytes() == two.read_bytes()
    assert len(one.read_bytes()) > 5000


@pytest.mark.parametrize(("ra", "dec"), [(250, 34), (359, 0), (10, 89), (0, -90)])
@pytest.mark.parametrize("colour", ["matched", "detections"])
def test_maps_are_drawn_anywhere(ra: float, dec: float, colour: str, tmp_path: Path) -> None:
    save(draw_night_map(night(ra, dec), colour=colour), tmp_path / "m.png")


def test_far_fields_are_shown_on_the_whole_sky(tmp_path: Path) -> None:
    far = pl.concat([night(10, 10), night(179.5, -20), night(358, 60)])
    save(draw_night_map(far, title="Night"), tmp_path / "m.png")


def test_east_is_left_and_north_is_up() -> None:
    ra, dec = np.array([10.0, 11.0, 10.0]), np.array([20.0, 20.0, 21.0])
    for projection in (zoomed(10.0, 20.0, ra, dec), all_sky()):
        middle, east, north = projection(ra, dec)
        assert east[0] < middle[0]
        assert north[1] > middle[1]


def test_hammer_shows_the_sphere_on_its_ellipse_with_equal_areas() -> None:
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    small = corners(ra, dec, 0.2, 0.2)
    shapes = np.stack(all_sky().polygons(small))
    x, y = shapes[..., 0], shapes[..., 1]
    assert ((x / (2 * np.sqrt(2))) ** 2 + (y / np.sqrt(2)) ** 2 < 1.0001).all()
    away = np.abs((ra - 180 + 180) % 360 - 180) < 175
    area = 0.5 * np.abs((x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(axis=1))
    polar = np.abs(dec) > 85
    expected = np.radians(0.4) ** 2
    assert area[away & ~polar] == pytest.approx(expected, rel=2e-3)


def test_turned_rectangle_keeps_its_corners_distance() -> None:
    ra, dec = np.array([10.0]), np.array([80.0])
    plain, turned = corners(ra, dec, 0.5, 0.5), corners(ra, dec, 0.5, 0.5, 90.0)
    assert sorted(map(tuple, plain[0].round(9))) == sorted(map(tuple, turned[0].round(9)))


def test_picture_that_cannot_be_written_is_named(curve: pl.DataFrame, tmp_path: Path) -> None:
    figure = draw_lightcurve(curve)
    with pytest.raises(UnknownFormatError, match=r"a\.gif: no picture can be written"):
        save(figure, tmp_path / "a.gif")
    with pytest.raises(UnwritableOutputError, match="cannot write"):
        save(figure, tmp_path / "no" / "a.png")


DRAW = """
import sys
from pathlib import Path
from products.canvas import prepare, save, new_figure
scratch, out = map(Path, sys.argv[1:3])
prepare(scratch, out)
import os, matplotlib
assert "MPLCONFIGDIR" not in os.environ
figure = new_figure(3, 2)
figure.add_subplot().plot([1, 2], label="x")
save(figure, out)
assert "matplotlib.pyplot" not in sys.modules
print(matplotlib.get_cachedir())
"""


@pytest.mark.parametrize("archive_writable", [True, False])
def test_drawing_leaves_no_trace_outside(tmp_path: Path, archive_writable: bool) -> None:
    home, scratch, out = tmp_path / "home", tmp_path / "A" / "scratch", tmp_path / "out" / "a.png"
    for folder in (home, scratch.parent, out.parent):
        folder.mkdir()
    if not archive_writable:
        scratch.write_text("in the way")
    home.chmod(0o555)
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "TMPDIR": str(home)}
    command = [sys.executable, "-c", DRAW, str(scratch), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    parent = scratch if archive_writable else out.parent
    assert Path(done.stdout.strip()).parent == parent
    assert [path.name for path in out.parent.iterdir()] == ["a.png"]
    assert list(home.iterdir()) == []
    assert not scratch.is_dir() or list(scratch.iterdir()) == []
