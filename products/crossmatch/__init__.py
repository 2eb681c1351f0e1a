"""Catalogue-to-catalogue crossmatch, streamed by HEALPix pixel with margins.

catalogue   what a path is: columns chosen; a table, or a HATS catalogue
tables      Parquet, FITS and CSV in pieces of rows
spool       a table on disk again, each piece in the order of its HEALPix index
hats        a HATS catalogue where it lies, row group by row group
partition   the pixels to work on, and what lies within the radius of one
match       left rows of a pixel on the right rows in and around it
outputs     Parquet, CSV, HATS association
job         all of it
"""

from products.crossmatch.columns import ColumnNames
from products.crossmatch.job import CrossmatchReport, crossmatch

__all__ = ["ColumnNames", "CrossmatchReport", "crossmatch"]
