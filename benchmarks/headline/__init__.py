"""The registered comparison: its sweep files, its photographs, its verdict, and the page RESULTS.md.

lgq-explore sweep benchmarks/headline/registered.toml …    trains and evaluates the cells
python -m benchmarks.headline                              writes RESULTS.md from the committed summaries
python -m benchmarks.headline.manifest --data SPEC         writes the list of photographs

benchmarks/PREREGISTRATION.md says beforehand what is done.
"""
