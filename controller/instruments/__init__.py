"""What is told to others of a run: metrics, the page, the service manager; nothing of it steers."""
