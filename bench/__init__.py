"""Benchmarks: what Watchword is measured against, and how. README.md has the tables."""
