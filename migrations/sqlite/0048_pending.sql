-- Few subscriptions wait for their carrier or for a person. Those of a card are found without what the card has had.
CREATE INDEX subscription_pending ON subscription (sim_id) WHERE state = 'pending';
