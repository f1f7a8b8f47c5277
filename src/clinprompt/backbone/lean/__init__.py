"""A decoder for frozen weights on a CPU: nothing computed or kept that nobody needs.

The same mathematics as the library's own layers, for backbones of the Llama family:

* weights never change, so a layer's backward pass is written out and keeps only what it reads;
* low-rank adapters may be trained beside the weights, with PEFT's parameters;
* padding takes no part outside of attention, where rows are lined up;
* the last layer computes keys alone for a prefix, and only the read positions for rows.

`decoder.Lean` falls back to the library's forward wherever it does not know a layer.
"""
