"""Nightlake: nights of PSF photometry as light curves and SQL."""
