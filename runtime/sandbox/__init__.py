"""Running untrusted Python: code that a model wrote, in a place where it can do no harm.

`trials` holds what is run and what is observed, the same for every sandbox. `monty` runs it in an interpreter that has
no way to files, network, processes or the environment; `forks` in CPython inside Linux namespaces. `programs` runs
whole programs for `make eval`.
"""
