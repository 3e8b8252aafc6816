"""Lets `python -m kapellmeister` stand for the command."""

from kapellmeister.cli import main

main()
