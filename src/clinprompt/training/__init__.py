"""One loop for teachers, distillation, adaptation and baselines."""
