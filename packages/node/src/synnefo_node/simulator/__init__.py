"""A simulated Ganeti cluster: the remote API, the job queue on disk and the query socket, without any machine behind.

It answers as Ganeti 3.0 does, as far as the cloud uses it, and is kept honest by the contract suite that runs on both.
It exists for tests, for scale work and for machines that cannot run Ganeti. One process, one event loop, everything in
memory; objects are also written to SQLite and jobs to the same job files Ganeti writes, so that it survives a restart
and the event daemon of a real node works beside it.

`opcodes` say which parameters a job may have, `jobs` schedules and stores them, `execution` carries them out on the
`model`, `queries` answers questions about it; `rapi` and `luxi` are the two ways in. `faults` is the test's control.
"""
