"""What every service needs and none owns: settings, errors, faults, logging, metrics, ports.

Nothing in here knows a service. Services meet through `synnefo.common.ports`.
"""
