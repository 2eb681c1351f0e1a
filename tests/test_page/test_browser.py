"""Whole journeys in a real browser: what a person does, and what is seen of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
from archives import Channel, cluster, nightly
from browser import CHROMIUM, DRIVER, Browser, browser
from serving import serving

from nightlake import Archive
from transforms.folding import phases

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Chromium is not installed")

DRAWN = "document.querySelectorAll('#{} .point').length"
ENTER, RIGHT = "\ue007", "\ue014"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


def link(address: str, sky: Any, **state: str) -> str:
    return f"{address}/?{urlencode({'q': sky.searched, **state})}"


def points(window: Browser, chart: str) -> list[dict[str, Any]]:
    """What a chart shows: of each trace its name and places; words of the legend are none."""
    script = (
        f"document.querySelector('#{chart} .js-plotly-plot').data.filter(t => "
        "t.x[0] !== null).map(t => ({name: t.name, x: Array.from(t.x), y: Array.from(t.y), "
        "errors: !!t.error_y}))"
    )
    found: list[dict[str, Any]] = window.ask(script)
    return found


def test_a_search_and_a_period_show_the_folded_star(
    window: Browser, address: str, sky: Any
) -> None:
    window.open(f"{address}/", width=1280)
    window.wait("document.querySelector('#q')")
    window.press("#q", sky.searched, ENTER)
    window.wait(DRAWN.format("g-time"))
    period = str(sky.star.period_d)
    window.press("#c-period", period, ENTER)
    window.wait(DRAWN.format("g-fold"))

    with Archive(sky.root) as archive:
        ra, dec = map(float, sky.searched.split())
        curve = archive.lightcurve(cone=(ra, dec, 1.5))
    folded = {trace["name"]: trace for trace in points(window, "g-fold")}
    for code in ("zg", "zr"):
        rows = curve.filter(filtercode=code, catflags=0)
        trace = folded[code]
        assert len(trace["x"]) == 2 * rows.height
        np.testing.assert_allclose(trace["y"], np.tile(rows["mag"], 2), atol=1e-6)
        # Phase 0 is another's: differences of phases are the same.
        phase = phases(rows["hmjd"].to_numpy(), sky.star.period_d, 0.0)
        apart = np.array(trace["x"][: rows.height]) - phase
        apart -= apart[0]
        np.testing.assert_allclose(apart - np.round(apart), 0, atol=1e-9)
    # At its true period a star's brightness is a curve: neighbours in phase are alike.
    order = np.argsort(folded["zr"]["x"])
    mag = np.array(folded["zr"]["y"])[order]
    assert np.mean(np.diff(mag) ** 2) < 0.5 * 2 * np.var(mag)
    state = parse_qs(urlsplit(window.address).query)
    assert state["q"] == [sky.searched]
    assert state["p"] == [period]
    assert window.complaints() == []


def test_a_link_shows_the_same_again(window: Browser, address: str, sky: Any) -> None:
    period = "0.540108163543876"
    given = {
        "p": period, "y": "flux", "time": "mjd", "bins": "10", "errors": "0", "bands": "zr",
        "images": "1", "e": "60319.25", "fx": "0.2,0.9",
    }  # fmt: skip
    window.open(link(address, sky, **given), width=1280)
    window.wait(DRAWN.format("g-time"))
    window.wait(DRAWN.format("g-fold"))
    first = points(window, "g-time") + points(window, "g-fold")
    again = window.address
    assert {name: value[0] for name, value in parse_qs(urlsplit(again).query).items()} == {
        "q": sky.searched, **given,
    }  # fmt: skip
    window.open(again, width=1280)
    window.wait(DRAWN.format("g-time"))
    window.wait(DRAWN.format("g-fold"))
    assert points(window, "g-time") + points(window, "g-fold") == first
    assert {trace["name"].split(",")[0] for trace in first} == {"zr"}
    assert not any(trace["errors"] for trace in first if "bins" not in trace["name"])
    seen = window.ask("document.querySelector('#g-fold .js-plotly-plot').layout.xaxis.range")
    assert seen == [0.2, 0.9]
    assert window.ask("document.querySelector('#c-period').value") == period


def test_the_period_is_found_and_its_aliases_are_told(
    window: Browser, address: str, sky: Any
) -> None:
    window.open(link(address, sky, pmin="0.2", pmax="2", terms="3"), width=1280)
    window.wait(DRAWN.format("g-time"))
    window.click("#c-find")
    window.wait("document.querySelector('#c-period').value")
    window.wait(DRAWN.format("g-fold"))
    window.wait("document.querySelectorAll('#peaks button').length")
    rows = window.ask("[...document.querySelectorAll('#peaks button')].map(b => b.innerText)")
    assert len(rows) == 8
    true = sky.star.period_d
    assert any(abs(float(row) - true) < 2e-3 * true for row in rows)
    assert window.ask("document.querySelectorAll('#peaks .tag').length") > 0
    window.click("#peaks tbody tr:nth-child(2) button")
    window.wait(f"document.querySelector('#c-period').value === '{rows[1]}'")
    window.wait(f"new URL(location).searchParams.get('p') === '{rows[1]}'")
    window.click("#c-half")
    window.wait(f"Math.abs(document.querySelector('#c-period').value * 2 - {rows[1]}) < 1e-8")
    assert window.complaints() == []


def test_a_link_lists_the_peaks_that_were_seen(window: Browser, address: str, sky: Any) -> None:
    """Other times, or fluxes, have other peaks: those that are listed are of what is drawn."""
    peaks = "[...document.querySelectorAll('#peaks tr')].map(row => row.innerText)"
    window.open(link(address, sky, find="1", pmin="0.2", pmax="2"), width=1280)
    window.wait("document.querySelectorAll('#peaks button').length")
    window.wait(DRAWN.format("g-fold"))
    first = window.ask(peaks)
    window.element("#c-y label:nth-child(2)").click()
    window.wait(f"{peaks}.length && JSON.stringify({peaks}) !== JSON.stringify({first})")
    seen, again = window.ask(peaks), window.address
    window.open("about:blank", width=1280)
    window.open(again, width=1280)
    window.wait("document.querySelectorAll('#peaks button').length")
    assert window.ask(peaks) == seen


def test_sliders_move_the_period_and_the_finer_one_by_cycles(
    window: Browser, address: str, sky: Any
) -> None:
    window.open(link(address, sky, p="0.54"), width=1280)
    window.wait(DRAWN.format("g-fold"))
    with Archive(sky.root) as archive:
        ra, dec = map(float, sky.searched.split())
        time = archive.lightcurve(cone=(ra, dec, 1.5))["hmjd"].to_numpy()
    typed = "Number(document.querySelector('#c-period').value)"
    window.element("#c-fine [role=slider]").send_keys(RIGHT)
    period = window.wait(f"{typed} !== 0.54 && {typed}")
    # A step is 0.002 of a cycle over all of the time.
    assert 1 / period - 1 / 0.54 == pytest.approx(0.002 / np.ptp(time), rel=1e-3)
    window.wait(f"Math.abs(new URL(location).searchParams.get('p') - {period}) < 1e-12")
    window.element("#c-coarse [role=slider]").send_keys(RIGHT)
    other = window.wait(f"{typed} !== {period} && {typed}")
    assert other == pytest.approx(period * 10**0.0005, rel=2e-3)


def test_no_click_is_lost_that_comes_with_something_else(
    window: Browser, address: str, sky: Any
) -> None:
    window.open(link(address, sky, pmin="0.2", pmax="2"), width=1280)
    window.wait(DRAWN.format("g-time"))
    # What the browser gathers before it tells the page: a chart that was drawn, and a click.
    window.ask(
        "[dash_clientside.set_props('g-time', {relayoutData: {autosize: true}}), "
        "dash_clientside.set_props('c-find', {n_clicks: 1})]"
    )
    window.wait("document.querySelectorAll('#peaks button').length")


def test_too_few_points_for_a_period_are_told_in_words(
    window: Browser, address: str, sky: Any
) -> None:
    window.open(link(address, sky, find="1", bands="zi"), width=1280)
    words = window.wait("document.querySelector('#peaks .message')?.innerText")
    assert "good points that a period needs" in words


def test_a_point_tells_its_numbers(window: Browser, address: str, sky: Any) -> None:
    window.open(link(address, sky), width=1280)
    window.wait(DRAWN.format("g-time"))
    window.element("#g-time")
    window.point("#g-time .point", "#g-time .hoverlayer .nums, #g-time .hovertext")
    text = window.ask("document.querySelector('#g-time .hoverlayer').textContent")
    for word in ("exposure", "airmass", "seeing", "flags", "HMJD"):
        assert word in text


def test_switches_change_what_is_drawn(window: Browser, address: str, sky: Any) -> None:
    window.open(link(address, sky, p="0.54"), width=1280)
    window.wait(DRAWN.format("g-time"))
    window.wait(DRAWN.format("g-fold"))
    title = "document.querySelector('#g-time .ytitle').textContent"
    assert window.ask(title) == "Magnitude (AB)"
    window.click("#c-y label:nth-child(2)")
    window.wait(f"{title}.startsWith('Flux')")
    assert max(points(window, "g-time")[-1]["y"]) > 100
    before = sum(len(trace["x"]) for trace in points(window, "g-time"))
    window.click("#c-points label:nth-child(3)")
    drawn = "document.querySelector('#g-time .js-plotly-plot').data.flatMap(t => Array.from(t.x))"
    window.wait(f"{drawn}.filter(x => x !== null).length > {before}")
    with Archive(sky.root) as archive:
        ra, dec = map(float, sky.searched.split())
        rows = archive.lightcurve(cone=(ra, dec, 1.5), all_images=True).drop_nulls("mag")
    assert sum(len(trace["x"]) for trace in points(window, "g-time")) == rows.height
    # Links are made by themselves, not with the chart.
    href = "document.querySelector('.file').href"
    window.wait(f"{href}.includes('images=1') && {href}.includes('y=flux')")


def test_a_star_of_two_fields_is_shown_in_one_of_them(window: Browser, tmp_path: Path) -> None:
    root, (ra, dec) = tmp_path / "A", cluster(150.0, 20.0, n=1)
    channels = (Channel(), Channel(field=634, ccdid=3, qid=1))
    nightly(root, ra, dec, n_nights=4, channels=channels, programs=(1,) * 4)
    with serving(root) as address:
        window.open(f"{address}/?{urlencode({'q': f'{ra[0]:.6f} {dec[0]:.6f}'})}", width=1280)
        window.wait(DRAWN.format("g-time"))
        assert {trace["name"] for trace in points(window, "g-time")} == {
            "zr, field 633", "zr, field 634",
        }  # fmt: skip
        window.click("#c-field label:nth-child(3)")
        window.wait(f"{DRAWN.format('g-time')} === 4")
    with Archive(root) as archive:
        rows = archive.lightcurve(cone=(ra[0], dec[0], 1.5), fields=[634])
    (trace,) = points(window, "g-time")
    assert trace["name"] == "zr"
    np.testing.assert_allclose(trace["y"], rows["mag"], atol=1e-6)
    assert parse_qs(urlsplit(window.address).query)["field"] == ["634"]


def test_a_phone_shows_all_of_it_without_going_sideways(
    window: Browser, address: str, sky: Any
) -> None:
    for url in (link(address, sky, p="0.54", find="1"), f"{address}/", f"{address}/archive"):
        window.open(url, width=390)
        window.wait("document.querySelector('main')")
        if "archive" in url:
            window.wait(DRAWN.format("quality"))
        elif "q=" in url:
            window.wait("document.querySelectorAll('#peaks button').length")
        assert window.ask("document.documentElement.scrollWidth") <= 390
        small = window.ask(
            "[...document.querySelectorAll('button, a.file, input')].filter(e => e.offsetParent)"
            ".map(e => e.getBoundingClientRect()).filter(r => r.right > 391).length"
        )
        assert small == 0


def test_light_and_dark_are_the_readers(window: Browser, address: str, sky: Any) -> None:
    def back() -> float:
        colour = window.ask("getComputedStyle(document.body).backgroundColor")
        return float(np.mean([int(part) for part in colour[4:-1].split(",")]))

    ink = "document.querySelector('#g-time .xtitle').style.fill"
    window.open(link(address, sky), width=1280, dark=True)
    window.wait(DRAWN.format("g-time"))
    assert back() < 60
    assert window.ask(ink) == "rgb(230, 235, 240)"
    window.click("#theme-switch")
    window.wait(f"{ink} === 'rgb(31, 41, 51)'")
    assert back() > 200
    window.ask("localStorage.removeItem('nightlake-theme')")


def test_the_keyboard_alone_reaches_everything(window: Browser, address: str, sky: Any) -> None:
    window.open(link(address, sky, p="0.54"), width=1280)
    window.wait(DRAWN.format("g-fold"))
    reached = set()
    window.ask("document.body.focus()")
    for _ in range(80):
        window.key("Tab")
        reached.add(window.ask("document.activeElement.id || document.activeElement.innerText"))
    assert {"q", "r", "go", "c-period", "c-half", "c-find", "theme-switch", "copy-link"} <= reached
    unnamed = window.ask(
        "[...document.querySelectorAll('button, input, textarea, a[href]')].filter(e => "
        "!(e.innerText || e.ariaLabel || e.labels?.length || e.title || e.closest('label')))"
        ".map(e => e.outerHTML)"
    )
    assert unnamed == []


def test_the_archive_shows_its_nights_and_their_reports(window: Browser, address: str) -> None:
    window.open(f"{address}/archive", width=1280)
    window.wait(DRAWN.format("quality"))
    window.wait("document.querySelectorAll('#g-coverage .js-fill').length")
    assert window.ask("document.querySelectorAll('#nights tbody tr').length") == 8
    window.click("#nights tbody a")
    window.wait("document.title.startsWith('2024-02-20')")


def test_an_error_is_a_sentence(window: Browser, address: str) -> None:
    window.open(f"{address}/?q=M87", width=1280)
    words = window.wait("document.querySelector('.message')?.innerText")
    assert "neither an object id nor a position" in words


def test_nothing_is_asked_of_anybody_else(window: Browser, address: str, sky: Any) -> None:
    window.open(link(address, sky, p="0.54", find="1", limits="1"), width=1280)
    window.wait("document.querySelectorAll('#peaks button').length")
    asked = window.requests()
    assert len(asked) > 5
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}
    titles = window.ask("[...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)")
    assert not any("share" in title.lower() or "cloud" in title.lower() for title in titles)


def test_a_paste_of_many_is_a_table_of_links(
    window: Browser, address: str, sky: Any, tmp_path: Path
) -> None:
    window.open(f"{address}/?{urlencode({'q': sky.searched + chr(10) + '1 1'})}", width=1280)
    window.wait(DRAWN.format("g-time"))
    assert window.ask("document.querySelectorAll('#many tbody tr').length") == 2
    window.click("#many tbody tr:nth-child(2) a")
    window.wait("document.querySelector('.message')?.innerText.includes('Nothing was measured')")
    assert parse_qs(urlsplit(window.address).query)["n"] == ["1"]
