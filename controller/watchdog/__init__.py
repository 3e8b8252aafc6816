"""The process that restores what was found when its controller is gone; the standard library
alone.
"""
