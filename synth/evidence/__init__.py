"""Evidence: the results of running candidates' code, and the ranking that follows from them.

`expressions` and `examples` read the examples in a request; `target` finds the function that it asks for; `inputs`
makes further arguments for it; `behaviour` turns a sandbox's observations into results; `ranking` orders candidates by
them; `finding` describes them. Only `finder`, which runs the code, is not pure.
"""
