"""Tables of the owner's document, measured: our device beside processors and CuPy alone."""
