"""The running agent. At its root lie the loop and the ground that every room stands on; no room
may know the commands.
"""
