"""`python -m daisee` is `daisee`."""

from daisee.cli import main

if __name__ == "__main__":
    main()
