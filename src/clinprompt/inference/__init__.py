"""Documents to typed answers: predict a file, evaluate a task; `predictor` is what both run on."""
