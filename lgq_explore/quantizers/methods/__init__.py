"""One method per file; `QUANTIZERS` of the package above lists them."""
