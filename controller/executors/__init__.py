"""What does the work: processes, threads and memory under the knobs' control."""
