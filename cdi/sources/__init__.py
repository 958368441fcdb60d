"""Sources of imports on the control plane, one module each, and what they have in common.

    spec.source of a DataVolume --SOURCE.parameters--> Parameters <--request--> annotations of a claim
                                                           |
                        variables, keys and files <--SOURCE.needs

A pod gets the last as manifest, a worker of ``cdi run`` as environment and directory. All pure.
"""
