"""Payment gateways: the contract (:mod:`.base`) and the one that ships (:mod:`.braintree`)."""
