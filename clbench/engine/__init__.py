"""One run: built from its configuration, trained and evaluated experience by experience."""
