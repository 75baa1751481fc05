"""All tests and measurements that need a GPU, in one command of ten minutes: `make gpu`."""
