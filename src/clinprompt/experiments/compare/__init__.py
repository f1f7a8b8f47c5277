"""The comparison of methods: a recipe gives cells; each is run once and has a file of its own.

`recipe` is what a user writes; `resolve` finds what it names, `plan` lists the cells, `checks`
finds what can't run before anything does. `methods` holds one entry a method; `fitting` makes one
try of one, `tuning` chooses rates, `running` makes a cell, `run` goes through all of them, `spread`
does so side by side. `cell` is what a cell's file holds; `statistics` compares cells.
"""
