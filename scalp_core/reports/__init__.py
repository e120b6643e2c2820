"""Reports to print and to keep."""
