"""`bench policies`: a policy under steps, bursts and faults, and the time of its decisions."""
