"""Speed: each part of the engine against its naive form, measured in one run."""
