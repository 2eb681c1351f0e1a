"""The report of a night: one HTML page for whoever comes to work in the morning.

`data` asks the library's queries, `verdict` judges, `sections` says it in words, `figures` and
`maps` draw, `svg` puts a figure into a page, `page` makes one file of all.
"""
