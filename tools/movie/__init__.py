"""The scene of movie.Mjpeg: a train crosses a lake while a day goes by."""
