"""One machine, one cloud: what `./synnefo up` and its siblings do. Python's standard library only.

`cli` parses, `steps` says what is done in which order, `supervisor` keeps the processes alive, `state` knows where
everything lies, `machine` and `environment` install, `cluster` and `demo_image` make the Ganeti side, `lanes` tests.
"""
