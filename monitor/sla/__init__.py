"""The agreement as code, pure: frozen facts in, frozen figures out. Each rule names the clause that it comes from."""
