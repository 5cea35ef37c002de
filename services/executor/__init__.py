"""The executor: carries out approved promotions on gateways, once each, and reports what came of it."""
