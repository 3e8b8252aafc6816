"""Work that the pipeline does on sound: one workload a file, one array code for CPU and GPU."""
