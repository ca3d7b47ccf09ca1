"""Small-scale reproduction of the paper's experiments: runs, results and trained networks."""
