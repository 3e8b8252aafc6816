"""The sound that streams play: recordings from files, or sounds that are synthesised here."""
