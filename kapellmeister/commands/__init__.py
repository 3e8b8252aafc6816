"""Commands, a file each: options and help; the work is done in the other rooms."""
