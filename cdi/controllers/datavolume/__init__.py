"""The DataVolume: its status from what is seen of its claim and its worker."""
