"""`python -m fggm_lab.cli`."""

from fggm_lab.cli import main

main()
