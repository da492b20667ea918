"""`python -m fggm_lab.cli`."""

from fggm_lab.cli import main

if __name__ == "__main__":
    main()
