"""Pure decisions, and the values they speak in."""
