"""Content-Encoding: zstd where the client takes it, else gzip, else none."""

from __future__ import annotations

import zlib

import pyarrow as pa

_GZIP_LEVEL, _GZIP_WBITS = 1, 31


class Encoder:
    """No encoding: bytes as they are. `name` is what the header says."""

    name = ""

    def all(self, data: bytes) -> bytes:
        """All of an answer."""
        return self.piece(data) + self.end()

    def piece(self, data: bytes) -> bytes:
        """A part of it."""
        return data

    def end(self) -> bytes:
        """What comes behind the last part."""
        return b""


class Zstd(Encoder):
    """Zstandard (RFC 8878), a frame for each part."""

    name = "zstd"

    def __init__(self) -> None:
        self._codec = pa.Codec("zstd", compression_level=1)

    def piece(self, data: bytes) -> bytes:
        """A part of it."""
        compressed: bytes = self._codec.compress(data, asbytes=True)
        return compressed


class Gzip(Encoder):
    """gzip (RFC 1952), at its fastest."""

    name = "gzip"

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WBITS)

    def piece(self, data: bytes) -> bytes:
        """A part of it."""
        return self._stream.compress(data)

    def end(self) -> bytes:
        """What comes behind the last part."""
        return self._stream.flush()


def encoder_for(accepted: str, compressible: bool = True) -> Encoder:
    """The best that an Accept-Encoding header takes."""
    if not compressible or not accepted:
        return Encoder()
    taken = {}
    for one in accepted.lower().split(","):
        name, _, weight = one.partition(";")
        taken[name.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    if taken.get("zstd"):
        return Zstd()
    return Gzip() if taken.get("gzip") else Encoder()
