"""A simulated survey in the survey's own file formats, with its truth."""
