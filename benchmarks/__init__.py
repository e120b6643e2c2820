"""What measures: speed, memory, intervals, and how well the gate holds back what is no scalp."""
