"""Physics on plain arrays: dates, airmass, matching, calibration. Knows no files and no tables."""
