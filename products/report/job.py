"""Write the report of a night: a file that is there whole, or not at all."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from products.canvas import prepare
from products.outputs import write_output

if TYPE_CHECKING:
    from queries.connection import Session


def write_report(
    session: Session,
    night: date | None = None,
    out: Path | None = None,
    as_of: int | None = None,
) -> Path:
    """Write the report of `night`; None is the newest. Returns where it is.

    Parameters
    ----------
    out : the file; None is report-2024-01-10.html, as the night is, in the working folder.
    as_of : the publication that the commands it shows ask; None is whichever is current then.

    Raises
    ------
    EmptyArchiveError, UnknownReportNightError : there is no such night.
    UnwritableOutputError : the file cannot be written; what was there before stays.
    """
    from products.report.data import gather

    data = gather(session, night, as_of)
    path = out or Path(f"report-{data.night}.html")
    prepare(session.snapshot.layout.scratch, path)
    from products.report.page import make_page

    write_output(make_page(data).encode(), path)
    return path
