"""Capsules of experiences, and how an experience takes over what earlier ones know: B-CL and CTR."""
