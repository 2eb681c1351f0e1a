"""Tables as immutable files, named by their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.atomic import checksum, write_whole
from store.columns import Table
from store.layout import HealpixPixel, Layout
from store.manifest import FileEntry

if TYPE_CHECKING:
    import pyarrow as pa


def write_table(
    layout: Layout, table: Table, data: pa.Table, part: str, pixel: HealpixPixel | None = None
) -> FileEntry:
    """Write rows of `table` as one immutable file, named by its content, and describe it.

    The same rows give the same bytes and the same name: a file that is there already is kept.
    """
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    table.write(data, sink)
    content = memoryview(sink.getvalue())
    digest = checksum(content)
    if pixel is None:
        path = layout.data_folder(table.name, part).with_name(f"{part}-{digest[:16]}.parquet")
    else:
        name = f"{pixel.order}-{pixel.npix}-{digest[:16]}.parquet"
        path = layout.data_folder(table.name, part) / name
    if not (path.exists() and path.stat().st_size == len(content)):
        write_whole(path, content)
    return FileEntry(
        table=table.name,
        part=part,
        path=layout.relative(path),
        rows=data.num_rows,
        bytes=len(content),
        checksum=digest,
        order=None if pixel is None else pixel.order,
        npix=None if pixel is None else pixel.npix,
    )
