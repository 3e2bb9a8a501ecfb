"""Streams on the screen: the live explorer and what it is made of. The only package that uses ipywidgets."""
