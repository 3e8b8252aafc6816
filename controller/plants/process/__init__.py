"""Any program by its name, process id or control group, as a plant."""
