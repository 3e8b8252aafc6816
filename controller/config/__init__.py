"""Every table of `config.toml`: defaults, documentation and checks at once; nothing acts here."""
