"""Matchfiles: the light curves of one field, filter, CCD and quadrant in one HDF5 file.

`store.matchfile` declares the form; `build` makes the tables of plain columns, `writer` the file,
`channel` reads the columns from an archive, `job` makes the files of all channels.
"""
