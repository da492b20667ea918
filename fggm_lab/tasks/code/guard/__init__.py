"""The guard: a program run by path, with the standard library only, that shuts another one in."""
