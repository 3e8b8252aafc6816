"""What a link was measured to be: its times, its bandwidth, the clock beyond; nothing is sent."""
