"""What the controllers of DataVolumes and of claims both know of a claim, and where they see it. No controller."""
