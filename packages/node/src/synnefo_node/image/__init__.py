"""snf-image: the OS definition that fills a new machine's disk from an image and makes it the machine's own.

`install` writes the definition for Ganeti; its scripts call `cli`. `sources` read images, `copying` writes disks, `customisation` edits file systems with
user-space tools (the image is never mounted by the node), `parameters` gathers what is wanted.
"""
