"""The report of a comparison: one HTML file, Markdown of the tables, pictures as SVG.

`reading` gets a comparison's cells, `writing` puts the parts together and writes the files. One
module makes one part: `problems`, `scores`, `differences`, `curves`, `scatter`, `costs`,
`learning`, `vectors`, `answers`, `worst`, `setting`. A part is made of blocks (`tables`), which
`page` turns into HTML and `markdown` into Markdown. Pictures are drawn by `scales`, `svg`, `plot`,
`looks` and `heatmap`, with no library.
"""
