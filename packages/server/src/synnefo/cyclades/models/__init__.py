"""Tables of cyclades."""

from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.build_parameters import BuildParameters
from synnefo.cyclades.models.commissions import CommissionRecord
from synnefo.cyclades.models.consoles import ConsoleTicket
from synnefo.cyclades.models.flavors import Flavor, FlavorAccess, FlavorSpec, VolumeType, VolumeTypeSpec
from synnefo.cyclades.models.keypairs import KeyPair
from synnefo.cyclades.models.networks import BackendNetwork, IPAddress, IPHistory, Network, Port, Subnet
from synnefo.cyclades.models.operations import Operation, OperationState
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from synnefo.cyclades.models.servers import OperState, Server, ServerDiagnostic, ServerMetadata
from synnefo.cyclades.models.volumes import Volume, VolumeStatus

__all__ = [
    "AddressPool", "Backend", "BackendNetwork", "BuildParameters", "CommissionRecord", "ConsoleTicket", "Flavor", "FlavorAccess", "FlavorSpec", "IPAddress",
    "IPHistory", "KeyPair", "Network", "OperState", "Operation", "OperationState", "Port", "Server", "ServerDiagnostic", "ServerMetadata", "Subnet",
    "ValuePool", "Volume", "VolumeStatus", "VolumeType", "VolumeTypeSpec",
]
