"""Programs that look at the code itself."""
