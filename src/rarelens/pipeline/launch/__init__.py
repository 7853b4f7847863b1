"""Stages side by side, under the locks and the cache of one DVC project."""
