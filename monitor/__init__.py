"""An uptime monitor that keeps the books of a service level agreement."""
