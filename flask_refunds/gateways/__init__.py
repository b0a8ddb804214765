"""Payment gateways: the contract (:mod:`.base`) and those that ship.

:mod:`.braintree` comes with the package; :mod:`.stripe` needs the extra ``stripe``.
"""
