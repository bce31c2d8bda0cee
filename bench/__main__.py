"""``python -m bench``: the day's run, compressed."""

from bench.day import main

if __name__ == "__main__":
    main()
