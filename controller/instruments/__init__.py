"""Instruments tell others of a run: metrics, the page, the service manager; none of them steers."""
