"""The report: one HTML file that shows a comparison in any browser, without a network."""
