"""An invented past, as large as one likes, to measure and to look at."""
