"""Sessions: where people and agents talk together, over every change of device and restart."""
