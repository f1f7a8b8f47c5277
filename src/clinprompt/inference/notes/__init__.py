"""Folders of notes: what can be asked of a note is asked, and the answers become annotations.

The way of a note: `collection` reads it, `plan` says what is asked of it (`pairs`: of which of its
mentions), `asking` has a chunk of notes answered, `journal` keeps the answers (`found`) so that a
run can be taken up again, `annotate` puts them into the document, `outputs` writes it in each
format, and `summary` counts what became of all of them. `run` has them do so.
"""
