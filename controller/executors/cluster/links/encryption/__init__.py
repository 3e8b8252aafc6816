"""Certificates made at each start, and TLS with them; no key is ever written to a file."""
