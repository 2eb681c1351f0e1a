"""The verb `scale`: lists and the figure, and what it says where there is nothing."""

import json
from datetime import date

import numpy as np
import pytest
from archives import cluster, nightly

from nightlake import Archive
from nightlake.cli import run
from products.scale_figure import residuals_ppm, scale_points
from simulate.plan import SurveyPlan
from simulate.survey import simulate_survey
from transforms.atmosphere import Air

NIGHT = date(2024, 1, 10)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    plan = SurveyPlan(
        nights=(NIGHT,), fields=(655,), channels=(27,), exposures_per_night=6, wrong_wcs=1,
        sources_per_quadrant=30, references=False, truth_detections=False,
    )  # fmt: skip
    simulate_survey(folder / "raw", plan, workers=1)
    with Archive.create(folder / "A") as archive:
        archive.ingest(folder / "raw" / "sci", workers=1)
    return folder / "A"


def test_nights_and_images_are_listed_the_worst_first(root, capsys):
    assert run(["scale", str(root), "--format", "csv"]) == 0
    names, line = capsys.readouterr().out.splitlines()
    night = dict(zip(names.split(","), line.split(","), strict=True))
    assert (night["night"], night["n_checked"], night["n_ideal"]) == ("2024-01-10", "12", "12")
    assert (night["n_scale_bad"], night["n_infobit16"]) == ("1", "1")
    assert run(["scale", str(root), "--night", "20240110"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 13
    assert lines[1].startswith(night["worst_pid"])
    with Archive(root) as archive:
        worst = archive.scale(NIGHT)["pct_scale_diff_worst"].abs()
        assert worst.is_sorted(descending=True)
        assert worst[0] > 1 > worst[1]


@pytest.mark.parametrize("name", ["scale.png", "scale.svg", "scale.pdf"])
def test_the_figure_is_drawn_of_a_night_or_of_all(root, tmp_path, capsys, name):
    picture = tmp_path / name
    night = ["--night", "20240110"] if name == "scale.png" else []
    assert run(["scale", str(root), *night, "--plot", str(picture), "--pressure", "0.82"]) == 0
    said = "2024-01-10" if night else "all nights"
    assert capsys.readouterr().out == f"{picture}: pixel scale against airmass, {said}\n"
    assert picture.stat().st_size > 10_000


def test_images_of_an_archive_lie_within_ten_ppm_of_the_model(root):
    """Headers of the simulator, whose air is 830 hPa and 10 °C, through ingest to the figure."""
    with Archive(root) as archive:
        images = archive.query("scale_vs_airmass", night=NIGHT)
    points = scale_points(images, Air(pressure_hpa=830.0, temperature_c=10.0))
    good = points.filter(~points["is_bad"])
    assert (points.height, good.height) == (12, 11)
    assert np.ptp(good["secz"].to_numpy()) > 0.3
    assert residuals_ppm(good).abs().max() < 10
    assert residuals_ppm(points.filter("is_bad")).abs().min() > 100


def test_what_cannot_be_drawn_or_asked_is_said_in_one_line(root, tmp_path, capsys):
    without_wcs = tmp_path / "A"
    nightly(without_wcs, *cluster(10, 45))
    picture = str(tmp_path / "x.png")
    for arguments, said in (
        ([str(without_wcs), "--plot", picture], "no channel has two good images"),
        ([str(root), "--night", "20300101"], "2030-01-01"),
        ([str(root), "--plot", str(tmp_path / "x.gif")], "Choose among png, svg, pdf"),
        ([str(root), "--plot", picture, "--pressure", "3"], "--pressure"),
    ):
        assert run(["scale", *arguments]) != 0
        assert said in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
    assert run(["scale", str(without_wcs)]) == 0


def test_the_limit_is_an_archives_setting(tmp_path, capsys):
    assert run(["init", str(tmp_path / "A"), "--scale-limit", "0.3"]) == 0
    settings = json.loads((tmp_path / "A" / "archive.json").read_text())
    assert settings["scale_limit_percent"] == 0.3
    assert run(["init", str(tmp_path / "B"), "--scale-limit", "0"]) == 2
    assert "scale limit must be above 0" in capsys.readouterr().err


def test_a_folder_of_priors_is_looked_at_first(root, tmp_path, capsys):
    raw = root.parent / "raw" / "sci"
    assert run(["ingest", str(root), str(raw), "--prior", str(tmp_path)]) != 0
    assert "holds no header" in capsys.readouterr().err
