"""The kernels on numpy arrays, for an emulated device and as reference; no device enters here."""
