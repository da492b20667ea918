"""The tabs of the explorers: each a choice of figures about one question."""
