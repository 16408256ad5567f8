"""`make bench`: what protection costs, as ratios against the bare limit in the same run. Not tests; figures."""
