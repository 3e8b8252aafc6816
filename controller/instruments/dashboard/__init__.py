"""The run as it happens, on a page for a browser on this machine, from a process of its own."""
