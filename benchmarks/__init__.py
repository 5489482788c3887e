"""The benchmarks: each hot path beside a peer, in one run, as ratios."""
