"""A real JupyterLab in a headless browser, for the benchmarks and the browser tests."""
