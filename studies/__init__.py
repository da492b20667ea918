"""The studies of hours that docs/results.md reports: what is trained, one row per run, tables."""
