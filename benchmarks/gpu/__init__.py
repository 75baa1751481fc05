"""Everything that needs a GPU to be checked or measured, by one command of ten minutes: `make gpu`."""
