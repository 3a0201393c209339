#!/bin/sh
# Runs Monty's worker, the program `monty` beside the link that this is started by, under limits of its own: processor
# seconds in all, no file to write, few open ones, 1 GiB of address space, no core dump, lowest priority but one.
# A system without one of these limits goes on without it. What the worker complains of is reported by the pool.
ulimit -t 120 || :
ulimit -f 0 || :
ulimit -n 64 || :
ulimit -c 0 || :
ulimit -v 1048576 || :
exec nice -n 10 "${0%/*}/monty" "$@" 2>/dev/null
