//! Who a NATS client is and what it may do: users, passwords, permissions.
