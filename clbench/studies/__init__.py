"""Many runs: experiments, sweeps, hyperparameter search."""
