"""Self-checks of the course's exercises, a file per subject.

A check tries an answer and returns one sentence: `Right: …`, or `Not yet: …` with what is wrong.
"""
