"""Grades a whole class: finds what was handed in, grades each once, here or on Slurm."""
