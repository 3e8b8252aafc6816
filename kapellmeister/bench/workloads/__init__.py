"""`bench workloads`: processor time of the workloads, and our rendering beside that of others."""
