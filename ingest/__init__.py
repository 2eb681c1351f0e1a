"""Files to published nights: read, transform, shuffle by pixel, publish."""
