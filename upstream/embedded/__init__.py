"""llama.cpp in child processes, and the weights they load."""
