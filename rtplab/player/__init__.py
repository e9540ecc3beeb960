"""The Tk window. The only place that imports tkinter."""
