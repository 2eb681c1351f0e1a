"""Figures without traces: matplotlib's object-oriented face, its directory inside the archive.

matplotlib writes its font cache to HOME when it is imported. `prepare` gives it a folder of this
process's own instead, gone at exit, with the fonts already listed there if `make setup` could
list them once for all (`python -m products.canvas`).
"""

from __future__ import annotations

import atexit
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from products.errors import UnknownFormatError, UnwritableOutputError
from products.outputs import write_output
from store.scratch import prefix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
PICTURES = ("png", "svg", "pdf")
INK, GRID = "#1f2933", "#d9dee3"

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": "#7b8794",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "nightlake",  # the same picture gives the same bytes
    "svg.fonttype": "none",
}
# Without dates: the same picture gives the same bytes.
_METADATA = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def prepare(scratch: Path | None, beside: Path) -> None:
    """Make matplotlib write nowhere but below `scratch`; call it before anything is drawn.

    Where `scratch` is None or cannot be written, a hidden folder beside the output serves. A
    process that has imported matplotlib already keeps what it chose.

    Raises
    ------
    UnwritableOutputError : neither can be written.
    """
    if "matplotlib" in sys.modules:
        return
    folder = _own_folder(scratch, beside)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for fonts in font_cache_folder().glob("fontlist-*.json"):
        shutil.copy(fonts, folder)
    before = {name: os.environ.get(name) for name in ("MPLCONFIGDIR", "MATPLOTLIBRC")}
    os.environ["MPLCONFIGDIR"] = str(folder)
    # An empty rc file of its own: one in the working folder would change every picture.
    (folder / "matplotlibrc").touch()
    os.environ["MATPLOTLIBRC"] = str(folder)
    try:
        import matplotlib

        matplotlib.get_configdir()  # asks for MPLCONFIGDIR now, once
        matplotlib.get_cachedir()
        import matplotlib.font_manager
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _own_folder(scratch: Path | None, beside: Path) -> Path:
    if scratch is not None:
        try:
            scratch.mkdir(exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=prefix("matplotlib"), dir=scratch))
        except OSError:
            pass
    try:
        return Path(tempfile.mkdtemp(prefix=".nightlake-", dir=beside.absolute().parent))
    except OSError as error:
        raise UnwritableOutputError(beside, error.strerror or str(error)) from error


def picture_format(out: Path) -> str:
    """png, svg or pdf, as the file's name says.

    Raises
    ------
    UnknownFormatError : it says none of them.
    """
    kind = out.suffix.lower().removeprefix(".")
    if kind not in PICTURES:
        raise UnknownFormatError("no picture can be written by this name", out, PICTURES)
    return kind


@contextmanager
def style() -> Iterator[None]:
    """The house's look, whatever the user's own settings are; draw inside it."""
    import matplotlib

    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, **_STYLE}
    del settings["backend"]
    with matplotlib.rc_context(settings):
        yield


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """An empty figure, never known to pyplot."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    return Figure(figsize=(width_inches, height_inches), dpi=DPI, layout=engine)


def save(figure: Figure, out: Path) -> None:
    """Write `figure` to `out`, whole, in the format its name says.

    Raises
    ------
    UnknownFormatError, UnwritableOutputError
    """
    kind = picture_format(out)
    sink = io.BytesIO()
    with style():
        figure.savefig(sink, format=kind, dpi=DPI, metadata=_METADATA[kind])
    write_output(sink.getvalue(), out)


def font_cache_folder() -> Path:
    """Where the installation keeps its list of fonts."""
    return Path(sys.prefix) / "share" / "nightlake"


def build_font_cache() -> Path:
    """List the machine's fonts once for all, into the installation."""
    folder = font_cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("fontlist-*.json"):
        old.unlink()
    prepare(folder, folder / "fonts")
    import matplotlib

    for fonts in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        shutil.copy(fonts, folder)
    return folder


if __name__ == "__main__":
    print(build_font_cache())
