"""The books: how facts come into them, and what is read out of them."""
