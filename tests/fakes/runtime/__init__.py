"""A stand-in for the llama.cpp runtime, to be found as `xllamacpp` by the real child program."""
