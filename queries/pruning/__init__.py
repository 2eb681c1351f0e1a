"""Which files a statement needs: those of the nights and places that its conditions name.

    trees        a statement's own tree, as DuckDB parses it
    sources      where the archive's tables stand in it, and the conditions on each
    nights       nights for which conditions can hold: DuckDB itself is asked, night by night
    ranges       sets of whole numbers: object ids, HEALPix indices
    places       ranges of these for which conditions can hold
    files        the files of these nights, places and objects
    restrict     all of it together

What is not understood restricts nothing: then all files are read, as without it. So a statement has
the same answer with and without.
"""
