"""Measurements: `make bench`. Nothing here is asserted; figures are printed, and written as JSON where asked."""
