"""Pictures as arrays become files: colours and PNG; no sound enters."""
