"""PipeWire, watched and turned."""
