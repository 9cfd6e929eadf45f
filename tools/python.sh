#!/bin/sh
# Say, in a line that helps, when this Python cannot make our environment: too old, or Debian's without its venv part.
python="$1"

if ! command -v "$python" >/dev/null 2>&1; then
    echo "There is no '$python' here. Install Python 3.11 or later, or name yours: make PYTHON=/path/to/python3" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "'$python' is $("$python" --version 2>&1); DAISEE needs 3.11 or later. Name another: make PYTHON=python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "'$python' cannot make environments. On Debian and its kin: sudo apt-get install python3-venv" >&2
    exit 1
fi
