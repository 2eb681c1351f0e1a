"""Every command and code block of README and docs runs, after the demo that they speak of."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from documents import PAGES, REPO, blocks

from ingest import errors
from ingest.imports.errors import RefusedImport
from nightlake.cli_page import cli_page
from nightlake.queries_page import queries_page
from products.columns_page import columns_page

BIN = Path(sys.executable).parent
# What the tests themselves run in, or that is the gate.
MAKE = {"make demo", "make test", "make check", "make serve"}
SERVE = "nightlake serve demo/archive"
SERVED = "http://127.0.0.1:8080"
LANGUAGES = {"", "sh", "console", "python"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the demo in it, as after `make demo`."""
    folder = tmp_path_factory.mktemp("docs")
    done = subprocess.run(
        [sys.executable, "-m", "nightlake.demo", "demo"],
        cwd=folder, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "matched %" in done.stdout
    found = re.search(r"period found\s+([\d.]+) d", done.stdout)
    true = re.search(r"period true\s+([\d.]+) d", done.stdout)
    assert float(found[1]) == pytest.approx(float(true[1]), rel=2e-4)
    for picture in ("rr_lyrae.png", "night.png"):
        assert (folder / "demo" / picture).stat().st_size > 10_000
    return folder


@pytest.fixture(scope="module")
def address(place):
    """The service that the pages speak of, but at a port that is free."""
    command = [str(BIN / "python"), "-m", "nightlake.cli", *shlex.split(SERVE)[1:], "--port", "0"]
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as server:
        yield re.search(r"http://\S+", server.stdout.readline())[0]
        server.terminate()


def run(command, folder):
    env = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=env, timeout=900, check=False
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.filterwarnings("ignore")
def test_every_block_of_every_page_runs_in_order(place, address):
    ran = 0
    for block in blocks():
        assert block.language in LANGUAGES, block.name
        text = block.text.replace(SERVED, address)
        if block.language == "sh":
            for line in text.splitlines():
                if line and line not in {*MAKE, SERVE}:
                    run(shlex.split(line), place)
                    ran += 1
        elif block.language == "console":
            for command, shown in console(text):
                printed = run(shlex.split(command), place)
                # Numbers are the demo's; the first line of an answer names its columns.
                if shown:
                    assert printed.splitlines()[0].split() == shown[0].split(), block.name
                    assert len(printed.splitlines()) == len(shown), block.name
                ran += 1
        elif block.language == "python":
            run([sys.executable, "-W", "ignore", "-c", text], place)
            ran += 1
    assert ran > 15


def console(text):
    """Commands of a console block, each with the output that is shown."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


def test_the_page_of_columns_is_the_contract():
    page = (REPO / "docs" / "columns.md").read_text(encoding="utf-8")
    assert page == columns_page(), "run: python -m products.columns_page > docs/columns.md"


def test_the_page_of_commands_is_their_help():
    page = (REPO / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == cli_page(), "run: python -m nightlake.cli_page > docs/cli.md"


def test_the_page_of_queries_is_the_library():
    page = (REPO / "docs" / "library.md").read_text(encoding="utf-8")
    assert page == queries_page(), "run: python -m nightlake.queries_page > docs/library.md"


def test_every_kind_of_refusal_is_documented():
    for name, kinds in (
        ("ingest", set(errors.RefusedInput.__subclasses__()) - {RefusedImport}),
        ("exchange", RefusedImport.__subclasses__()),
    ):
        page = (REPO / "docs" / f"{name}.md").read_text(encoding="utf-8")
        refused = page.partition("| code | what is wrong |")[2].partition("\n\n")[0]
        documented = set(re.findall(r"^\| `(\w+)` \|", refused, re.MULTILINE))
        assert documented == {kind.code for kind in kinds}, name


def test_every_link_leads_to_a_file():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), (page.name, target)
