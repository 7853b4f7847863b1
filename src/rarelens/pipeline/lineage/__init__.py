"""What a result follows from: fingerprints of code, and the plan of what a change reruns."""
