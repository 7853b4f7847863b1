"""What an extract says: logit shift, overlap and calibration of one cell."""
