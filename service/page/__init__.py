"""The pages that people see: light curves at /, the archive at /archive.

    state       what a page shows, as its address says it
    targets     what is typed into the search: ids and positions
    stars       the rows of what is shown, and what lies around it
    points      rows as what is drawn: axes, errors, hollow points, words of each
    figures     frames of figures, in the colours of light and dark
    charts, period, finder, coverage    what stands in them
    tables      tables as text
    snippets    the Python and the SQL that give the same rows
    light_curves (heading, controls, around), archive    the two pages
    wiring      callbacks, each a line or two
    downloads   files
    shield      what no page sends is refused, and nothing is fetched from elsewhere
    bridge      Flask, on which Dash runs, in threads of its own
    app         all of these as one route of the service

The science is in transforms and products; whatever is asked goes through `service.archive`.
"""
