"""Sound servers of our own, clients and hogs, and a sidecar beside them."""
