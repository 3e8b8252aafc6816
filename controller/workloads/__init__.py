"""What the pipeline does to sound: one file per workload, one array code for CPU and GPU."""
