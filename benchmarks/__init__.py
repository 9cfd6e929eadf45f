"""What the program costs and how fast it is; one file per figure, run by the Makefile."""
