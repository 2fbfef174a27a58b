"""The exit codes of the commands, beside 0 for done and 128 + the number of a signal that stopped one."""

BUG = 1
"""An error that nobody foresaw."""

UNUSABLE = 2
"""A command line or content that cannot be used."""

FOUND = 3
"""Anomalies or drift, where ``--fail-on-anomalies`` or ``--fail-on-drift`` asked."""

NO_ACCESS = 4
"""A file that cannot be opened, read or written."""
