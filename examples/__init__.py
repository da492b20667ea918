"""FGGM in other people's training loops: each file is a program of its own."""
