//! The store that ships: one sled tree, one writer thread.
