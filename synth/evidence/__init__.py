"""Evidence: what running a candidate's code shows, and the ranking that follows from it.

`expressions` and `examples` read what a request itself says about the code it wants; `target` finds the function that
is meant; `inputs` makes further arguments for it; `behaviour` turns what a sandbox observed into results; `ranking`
orders candidates by them; `finding` puts that into words. All of it is pure but `gather`, which runs the code.
"""
