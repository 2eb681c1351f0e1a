"""The store: one archive folder of immutable Parquet files, and what is current in it."""
