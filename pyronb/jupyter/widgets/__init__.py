"""Widgets for notebooks, made of plain ipywidgets."""
