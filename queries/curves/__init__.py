"""Light curves, read from Parquet with numpy and Arrow alone: DuckDB takes longer to plan.

    selection   what is asked for                         (`queries.selection`)
    places      where on the sky that is: objects, cones, regions
    reader      places → pixels → rows of each → one answer
    product     rows of a pixel's light curves, object by object
    nightly     rows of a pixel's detections, as nights and periods hold them
    images      what is shown of the rows' images
    answer      rows in order, as a frame
    files       open Parquet files, and what is remembered of them (`cache`)

Whichever files hold the rows, the answer is the same.
"""
