"""Fuzz targets over the C core, one file each; `python -m tests.fuzz` builds and drives them."""
