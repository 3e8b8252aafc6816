"""Device memory: one arena taken at the start, shared out and moved about; no kernel enters."""
