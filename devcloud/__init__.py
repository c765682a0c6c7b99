"""A small cloud on your desk: storage, identity, vault, mail server and functions host."""
