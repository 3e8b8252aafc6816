"""The running agent: loop, sensors, forecasters, plants, executors."""
