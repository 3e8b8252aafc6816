"""Many policies on many traces, paired: rows, figures and the page; one simulation is made
elsewhere.
"""
