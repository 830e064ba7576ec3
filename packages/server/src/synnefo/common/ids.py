"""Typed identifiers: what is a string or an integer in the database but never interchangeable in code."""

from typing import NewType

UserID = NewType("UserID", str)  # uuid4, lower case, immutable
ProjectID = NewType("ProjectID", str)  # uuid4; a system project has its user's uuid
Serial = NewType("Serial", int)  # of a commission
ServerID = NewType("ServerID", int)
NetworkID = NewType("NetworkID", int)
PortID = NewType("PortID", int)
VolumeID = NewType("VolumeID", int)
JobID = NewType("JobID", int)  # of a Ganeti job; 64 bits
