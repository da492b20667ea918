"""How fast and how small the engine is: ratios measured side by side in one run.

`python -m benchmarks` from the project's root; `benchmarks/README.md` says what is compared.
"""
