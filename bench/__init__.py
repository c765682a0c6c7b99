"""Benchmarks: every figure stands beside its peers, or its limit, in the same run."""
