"""The argument of the paper in miniature, to be run again: runs, results, trained networks."""
