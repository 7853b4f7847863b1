"""Why a class fails: a trained network's predictions of training and of unseen cases, explained."""
