"""Annotated documents, and the formats they are kept in, both ways.

Importing this package registers every format (see `formats`).
"""
