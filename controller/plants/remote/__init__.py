"""Any service that tells metrics over HTTP and takes knobs."""
