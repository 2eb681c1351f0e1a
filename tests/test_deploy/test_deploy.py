"""What deploys the service is held to this source: settings, unit and container file."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from dataclasses import fields
from http.server import BaseHTTPRequestHandler, HTTPServer

import click
import pytest
from documents import REPO

from nightlake.commands.serve import command as serve
from service import connection, edge, server
from service.settings import PREFIX, Settings

DEPLOY = REPO / "deploy"
PAGE = (REPO / "docs" / "deploy.md").read_text(encoding="utf-8")


def options():
    """Variables that options of the command take, with what they are unless given."""
    return {
        option.envvar: option.default
        for option in serve.params
        if isinstance(option, click.Option) and option.envvar
    }


def settings():
    """Every variable that the service reads, with what it is unless given."""
    known = {PREFIX + field.name.upper(): field.default for field in fields(Settings)}
    return known | {"NIGHTLAKE_ARCHIVE": None} | options()


def test_every_setting_is_documented_with_what_it_is_unless_given():
    rows = re.findall(r"^\| `(NIGHTLAKE_\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
    told = {name: text.strip().strip("`") for name, text in rows}
    assert told.keys() == settings().keys()
    for name, value in settings().items():
        shown = f"{value:g}" if isinstance(value, float) else str(value or "–")
        assert told[name] == shown, name


def test_times_that_the_page_tells_are_those_of_the_service():
    words = " ".join(PAGE.split())
    assert f"in {connection.HEAD_SECONDS:g} s for the head and {edge.BODY_SECONDS:g} s" in words
    assert f"takes nothing of an answer for {connection.TAKE_SECONDS:g} s" in words
    assert f"sent to their ends, for {server.GRACE_S:g} s at most" in words


def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(DEPLOY / "nightlake.service")
    return parser


def test_the_unit_runs_a_command_that_there_is_and_waits_for_its_end():
    words = shlex.split(unit()["Service"]["ExecStart"])
    assert words[0].endswith(".venv/bin/nightlake")
    assert words[1:] == ["serve"]
    assert int(unit()["Service"]["TimeoutStopSec"]) > server.GRACE_S
    assert unit()["Service"]["KillMode"] == "mixed"


def test_the_environment_file_has_settings_that_there_are(monkeypatch):
    lines = (DEPLOY / "serve.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    ours = {name: value for name, value in given.items() if name.startswith(PREFIX)}
    assert ours.keys() <= settings().keys()
    assert str(Settings.of_environment(ours).archive) == "/data/ztf"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    text = (DEPLOY / "nightlake.service").read_text()
    # It must exist where it is verified.
    path = tmp_path / "nightlake.service"
    path.write_text(text.replace("/opt/nightlake/.venv/bin/nightlake", sys.executable))
    for words in (["verify"], ["security", "--offline=true", "--threshold=30"]):
        done = subprocess.run(
            ["systemd-analyze", "--no-pager", *words, str(path)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def instructions():
    """Instructions of the container file, each on one line."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def test_the_container_file_takes_the_steps_of_make_setup():
    setup = (REPO / "Makefile").read_text().partition("$(VENV)/setup.stamp: ")[2]
    setup = setup.partition("\n\n")[0]
    steps = " ".join(rest for name, rest in instructions() if name == "RUN")
    for module in re.findall(r"-m ((?!venv|pip)[\w.]+)", setup):
        assert f"-m {module}" in steps
    assert "-c constraints.txt '.[service]'" in steps
    assert "-c constraints.txt -e '.[service]'" in setup


def test_the_container_file_starts_the_service_as_nobody_special(tmp_path):
    found = instructions()
    assert {name for name, _ in found} <= {
        "FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
        "ENTRYPOINT", "CMD",
    }  # fmt: skip
    known = dict(found)
    assert json.loads(known["ENTRYPOINT"]) + json.loads(known["CMD"]) == ["nightlake", "serve"]
    # A group that is not named may be root's.
    user, group = known["USER"].split(":")
    assert min(int(user), int(group)) >= 1000
    env = dict(word.split("=", 1) for word in shlex.split(known["ENV"]))
    ours = {name: value for name, value in env.items() if name.startswith(PREFIX)}
    assert ours.keys() <= settings().keys()
    assert known["EXPOSE"] == env["NIGHTLAKE_PORT"]
    lowest = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["requires-python"]
    versions = re.findall(r"python:3\.(\d+)-slim", (DEPLOY / "Containerfile").read_text())
    assert len(set(versions)) == 1
    assert int(versions[0]) >= int(lowest.removeprefix(">=3."))


class Health(BaseHTTPRequestHandler):
    """A service that says how it is."""

    status = 200

    def do_GET(self):
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_the_port_that_is_set(status, healthy, monkeypatch):
    monkeypatch.setattr(Health, "status", status)
    check = json.loads(dict(instructions())["HEALTHCHECK"].partition("CMD ")[2])
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.handle_request).start()
        done = subprocess.run(
            [sys.executable, *check[1:]], capture_output=True, timeout=300, check=False,
            env={"NIGHTLAKE_PORT": str(server.server_port)},
        )  # fmt: skip
    assert check[0] == "python"
    assert (done.returncode == 0) == healthy, done.stderr


def test_whoever_stops_the_container_waits_for_its_end():
    for text in (PAGE, (DEPLOY / "Containerfile").read_text()):
        (seconds,) = set(re.findall(r"podman run .*--stop-timeout (\d+)", text))
        assert int(seconds) > server.GRACE_S


def test_podman_keeps_the_health_check_of_the_image_that_make_builds(tmp_path):
    told = re.search(r"`(podman build .*?)`", PAGE)[1]
    asked = tmp_path / "asked"
    podman = tmp_path / "podman"
    podman.write_text(f'#!/bin/sh\necho podman "$@" > {asked}\n')
    podman.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(
        ["make", "-s", "image"], check=True, cwd=REPO, env={**os.environ, "PATH": path}, timeout=300
    )
    assert asked.read_text().strip() == told
    assert "--format docker" in told


def test_what_the_container_copies_of_the_source_is_small():
    ignored = (REPO / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", "demo"} <= set(ignored)
