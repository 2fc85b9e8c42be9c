"""What each chart shows, as numbers: no drawing here, and nothing computed anywhere else."""
