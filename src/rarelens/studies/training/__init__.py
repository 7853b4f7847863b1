"""The training loop that both tasks share; what is a task's own lies in its folder."""
