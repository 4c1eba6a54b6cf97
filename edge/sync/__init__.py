"""The node's side of the fleet: outbox, desired and reported state, enrolment."""
