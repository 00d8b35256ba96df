"""Formats that carry devices in and out, one file each. Nothing is kept here."""
