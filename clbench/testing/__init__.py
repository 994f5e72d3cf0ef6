"""What every baseline must keep, as checks that any package can run on its own."""
