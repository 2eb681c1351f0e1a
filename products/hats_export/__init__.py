"""Exports as HATS: nested light curves, and plain copies of the catalogues for a web server.

job           what is exported, pixel by pixel, into a folder that appears whole
folder        that folder: one file a pixel, and what makes it a catalogue
nested        curves one after the other as one row each, in the public data-release form
of_archive    a pixel's curves from light curves and nightly detections
of_import     a pixel's curves of a collection that was imported
plain         a pixel's files as one
"""
