//! The daemon's HTTP API: the supplier's side of every order.
