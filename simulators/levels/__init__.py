"""How a block fares in numbers, from exact events to a closed form; no policy and no knob
enters.
"""
