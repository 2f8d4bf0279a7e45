"""A page that shows a small net learning: every weight, activation and gradient of this moment.

From the root of the repository:

    python -m examples.playground [--port 8000] [--backend numba] [--seed 0] [--no-browser]

It opens in a browser and talks to this machine only. `problems` makes the data, `settings` is what
a page may ask for, `session` trains, `frame` says what a page draws, `server` answers the pages.
"""
