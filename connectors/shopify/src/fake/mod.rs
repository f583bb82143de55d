//! A model of the remote.
