"""What is measured of the device alone: one experiment a file; nothing is compared here."""
