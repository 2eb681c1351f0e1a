"""What the environment says of the service: each setting is a variable NIGHTLAKE_NAME."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from service.errors import SettingError

PREFIX = "NIGHTLAKE_"


@dataclass(frozen=True)
class Settings:
    """How the service behaves; `archive` is all that must be given.

    Attributes
    ----------
    archive : the archive's folder.
    programs : programmes whose images are shown, apart by commas; "all" is all of them.
    origins : web pages that may ask from a browser (CORS), apart by commas; "*" is all.
    max_radius_arcsec : of a cone.
    max_detections_radius_arcsec : of a cone whose detections are asked for, not whose objects.
    max_ids, max_positions : in one request.
    max_rows : of one answer.
    max_seconds : of work for one answer; what clients take to read it is not counted.
    max_body_bytes : of a request.
    max_waiting : requests that wait for a thread, in one worker, before others are turned away.
    threads : that read light curves, in one worker.
    query_threads : that answer SQL, in one worker.
    memory_limit : of SQL, in one worker, as DuckDB spells it.
    cache_mb : of columns that are remembered, in one worker.
    root_path : the path below which a proxy offers the service.
    """

    archive: Path
    programs: str = "1"
    origins: str = "*"
    max_radius_arcsec: float = 600.0
    max_detections_radius_arcsec: float = 120.0
    max_ids: int = 10_000
    max_positions: int = 10_000
    max_rows: int = 20_000_000
    max_seconds: float = 60.0
    max_body_bytes: int = 16 << 20
    max_waiting: int = 256
    threads: int = 2
    query_threads: int = 2
    memory_limit: str = "1GB"
    cache_mb: int = 512
    root_path: str = ""

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings that the environment spells.

        Raises
        ------
        SettingError : one is not of its kind, or out of range.
        """
        given: dict[str, object] = {}
        for field in fields(cls):
            text = environ.get(PREFIX + field.name.upper())
            if text is not None and text != "":
                given[field.name] = _value(PREFIX + field.name.upper(), str(field.type), text)
        if "archive" not in given:
            raise SettingError(f"{PREFIX}ARCHIVE", "", "the archive's folder")
        settings = cls(**given)  # type: ignore[arg-type]
        settings.served_programs  # noqa: B018  # refused at the start, not at the first question
        return settings

    @property
    def served_programs(self) -> tuple[int, ...] | None:
        """The numbers of the programmes that are shown; None is all.

        Raises
        ------
        SettingError : it is no list of numbers.
        """
        if self.programs.strip().lower() == "all":
            return None
        try:
            return tuple(sorted({int(one) for one in self.programs.split(",")}))
        except ValueError:
            raise SettingError(
                f"{PREFIX}PROGRAMS", self.programs, "numbers as 1,2, or all"
            ) from None

    @property
    def allowed_origins(self) -> list[str]:
        """The origins that may ask from a browser."""
        return [origin.strip() for origin in self.origins.split(",") if origin.strip()]


def _value(name: str, kind: str, text: str) -> object:
    if kind == "str":
        return text
    if kind == "Path":
        return Path(text).absolute()
    try:
        value = float(text) if kind == "float" else int(text)
    except ValueError:
        raise SettingError(name, text, "a number") from None
    if not 0 < value < float("inf"):
        raise SettingError(name, text, "a number above 0")
    return value
