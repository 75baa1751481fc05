"""One method a file; `QUANTIZERS` of the package above lists them."""
