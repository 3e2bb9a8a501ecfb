"""Who runs where: the I/O thread, what it reads, and the hand-over to the streams."""
