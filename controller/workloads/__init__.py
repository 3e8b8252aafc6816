"""What the pipeline does to sound: one workload a file, one array code for CPU and GPU."""
