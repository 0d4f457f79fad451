"""From all events to live single NK cells: thresholds by density, gates in order, GatingML, figures, gates by hand."""
