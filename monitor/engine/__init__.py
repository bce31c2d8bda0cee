"""The moving parts: what is probed when, who records it, and what leaves the house."""
