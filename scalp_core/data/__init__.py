"""What a data set is: its index, splits, audit and pictures."""
