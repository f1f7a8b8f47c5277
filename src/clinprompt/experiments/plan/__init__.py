"""What a run will take, said before it starts: parameters, bytes, FLOPs, memory and time."""
