"""Kernels leave nothing outside the installation, and nothing inside one that is read-only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "transforms"

# An audit hook sees every socket and every file that is opened to write, whoever does it; unlike
# permission bits it also binds root.
GUARD = """
import os, sys
allowed = {allowed!r}
def guard(event, args):
    if event.startswith("socket."):
        raise PermissionError(f"{{event}} {{args}}")
    if event == "open" and isinstance(args[0], (str, bytes)):
        path, mode, flags = os.path.abspath(os.fsdecode(args[0])), args[1] or "", args[2] or 0
        writes = set(mode) & set("wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and path != os.devnull and not (allowed and path.startswith(allowed)):
            written.append(path)
            raise PermissionError(f"read-only: {{path}}")
    if event in ("os.mkdir", "os.rename", "os.remove"):
        path = os.path.abspath(os.fsdecode(args[0]))
        if not os.path.isdir(path) and not (allowed and path.startswith(allowed)):
            written.append(path)
            raise PermissionError(f"read-only: {{path}}")
written = []
sys.addaudithook(guard)
"""

USE = """
import numpy as np
from transforms.compile import compile_all
from transforms.ephemeris import observer_contexts, earth_orientation_version
from transforms.image import secz
contexts = observer_contexts([59116.4317, 90000.0])
airmass = secz([337.0], [10.0], contexts.apparent[0])[0]
assert 1 < airmass < 40, airmass
assert contexts.iers_extrapolated.tolist() == [False, True]
earth_orientation_version()
if {everything!r}:
    compile_all()
"""


def run(code, folder):
    environment = {
        "HOME": "/nonexistent",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def succeeded(process):
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    return out


def installed_in(folder):
    shutil.copytree(PACKAGE, folder / "transforms", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def installation(tmp_path):
    """A copy of the package without compiled kernels."""
    return installed_in(tmp_path)


@pytest.fixture(scope="module")
def compiled_installation(tmp_path_factory):
    """A copy of the package with every kernel compiled, as `make setup` leaves it."""
    folder = installed_in(tmp_path_factory.mktemp("installation"))
    succeeded(run("from transforms.compile import compile_all; compile_all()", folder))
    return folder


def kernels(folder):
    return sorted((folder / "transforms" / "__pycache__").glob("*.nbc"))


def test_kernels_are_cached_in_the_installation_and_nowhere_else(installation):
    code = GUARD.format(allowed=str(installation / "transforms")) + USE.format(everything=False)
    succeeded(run(code + "\nassert not written, written", installation))
    assert kernels(installation)


def test_read_only_installation_without_a_cache_compiles_in_memory(installation):
    code = GUARD.format(allowed="") + USE.format(everything=False)
    succeeded(run(code, installation))
    assert not kernels(installation)


def test_read_only_installation_loads_the_kernels_it_has(compiled_installation):
    before = {path: path.stat().st_mtime_ns for path in kernels(compiled_installation)}
    assert before
    report = """
from transforms import image, match, search, hjd, statistics
kernels = [image._fitted, image._exact, image._secz, search.search, hjd._light_travel_time]
for kernel in [*kernels, statistics._fill, statistics._scatter]:
    assert kernel.stats.cache_hits and not kernel.stats.cache_misses, kernel
"""
    code = GUARD.format(allowed="") + USE.format(everything=True) + report
    succeeded(run(code, compiled_installation))
    assert {path: path.stat().st_mtime_ns for path in kernels(compiled_installation)} == before


def test_sixteen_processes_may_use_one_installation_at_once(compiled_installation):
    code = GUARD.format(allowed="") + USE.format(everything=True)
    for process in [run(code, compiled_installation) for _ in range(16)]:
        succeeded(process)


def test_processes_may_fill_the_cache_at_once(installation):
    code = USE.format(everything=False)
    for process in [run(code, installation) for _ in range(4)]:
        succeeded(process)
    assert not list((installation / "transforms" / "__pycache__").glob("*.tmp.*"))


def test_editing_any_module_makes_every_kernel_stale(installation):
    succeeded(run(USE.format(everything=False), installation))
    with (installation / "transforms" / "sphere.py").open("a") as file:
        file.write("\n# edited\n")
    check = "\nfrom transforms import image; assert not image._secz.stats.cache_hits"
    succeeded(run(USE.format(everything=False) + check, installation))


def test_importing_the_package_imports_nothing_heavy(compiled_installation):
    code = "import sys, transforms, transforms.site; print(*sys.modules)"
    modules = set(succeeded(run(code, compiled_installation)).split())
    assert not {"numpy", "numba", "astropy", "erfa"} & modules


def test_no_transform_imports_astropy(compiled_installation):
    code = USE.format(everything=True) + "\nimport sys; print(*sys.modules)"
    assert "astropy" not in succeeded(run(code, compiled_installation)).split()
