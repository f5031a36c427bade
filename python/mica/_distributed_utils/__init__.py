"""What starts programs on several machines: here their descriptions, which other packages read and write."""
