"""Many simulated networks at once: grids and lists of configurations, on Dask, resumable."""
