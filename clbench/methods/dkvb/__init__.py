"""The parts of the discrete key-value bottleneck."""
