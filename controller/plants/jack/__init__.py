"""A JACK server, watched and turned."""
